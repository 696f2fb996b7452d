"""The small demo through a real SLURM gives the loci of the local run."""

import shutil

import pytest

from tests.slurm.cluster import GPU_NODE
from tests.slurm.runs import profile_without_accounting, submit
from tests.studies import clone

MODELS = ["contig", "inner", "simclr", "latents"]
GPU_RULES = ("rule_pretrain_fold", "rule_embed_fold")
FOLLOWED = "results/models/latents/followup.tsv"


@pytest.fixture(scope="module")
def through_slurm(cluster, root, tmp_path_factory):
    """Run the loci of every model and one followup as cluster jobs; return the folder, the run and the jobs."""
    folder = clone(root, tmp_path_factory.mktemp("slurm") / "a study")
    config = shutil.copy(root / "tests" / "config" / "small.yaml", folder / "study.yaml")
    profile = profile_without_accounting(folder)
    going = submit(cluster, folder, "loci", FOLLOWED, profile=profile, config=config)
    run = going.finish(seconds=1200)
    assert run.status == 0, run.text[-6000:]
    return folder, run, going.jobs()


@pytest.mark.parametrize("path", [*(f"results/models/{model}/loci.tsv" for model in MODELS), FOLLOWED])
def test_the_results_are_those_of_the_local_run(path, through_slurm, finished):
    folder, _, _ = through_slurm
    assert (folder / path).read_bytes() == (finished.folder / path).read_bytes()


def test_there_are_loci_to_compare(through_slurm):
    folder, _, _ = through_slurm
    assert len((folder / "results/models/latents/loci.tsv").read_text().splitlines()) > 1


def test_every_job_but_the_targets_ran_on_a_node(through_slurm):
    _, run, jobs = through_slurm
    grouped = {"align_folds": 3, "phenotypes_embedded": 3, "loci_model": 4, "followup_model": 1}
    on_the_login_node = {"training_inputs_digest", "training_inputs_ready", "loci"}
    alone = {rule for rule, _ in run.jobs()} - {*grouped, *on_the_login_node}
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.comment.split("_wildcards_")[0] for job in jobs if "rule_f" not in job.comment} == {
        f"rule_{rule}" for rule in alone
    }
    assert {job.node for job in jobs} == {"node1", "node2"}


def test_jobs_of_a_group_share_an_allocation(through_slurm):
    _, _, jobs = through_slurm
    comments = [job.comment for job in jobs]
    assert sum(one.startswith("rule_features_align_folds_phenotypes_embedded") for one in comments) == 3
    assert sum(one.startswith("rule_figures_") for one in comments) == len(MODELS)


def test_training_and_embedding_run_where_a_gpu_is(through_slurm):
    _, _, jobs = through_slurm
    on_gpu = [job for job in jobs if job.comment.startswith(GPU_RULES)]
    assert len(on_gpu) == 10
    assert {(job.node, job.gpus) for job in on_gpu} == {(GPU_NODE, 1)}
    assert {job.gpus for job in jobs if job not in on_gpu} == {0}
