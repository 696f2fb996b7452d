"""What runs again after a change: exactly the rules that read it, and those after them."""

import copy
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import rerun_dag
import reruns

AFTER_PHENOTYPES = {
    "phenotypes_embedded",
    "phenotypes_external",
    "gwas_chromosome",
    "loci_model",
    "followup_model",
    "plots_manhattan",
    "plots_overview",
    "plots_features",
    "plots_regional",
    "plots_qq",
    "plots_map",
    "evaluate_samples",
    "evaluate_gwas",
    "evaluate_loci",
    "plots_points",
    "evaluate",
    "report",
}
# of every model, since the samples of one decide whom all test
AT_COMMON_SAMPLES = {"evaluate_gwas", "evaluate_loci"}
MODELS = {"contig", "inner", "simclr", "latents"}


def rules(run) -> set[str]:
    return {rule for rule, _ in run.jobs()}


def test_nothing_to_do_after_a_finished_run(finished):
    assert not finished.dry().jobs()
    run = replace(finished, cold=True)("--dry-run")
    assert "Nothing to be done" in run.text


def test_a_dry_run_in_this_process_has_the_jobs_of_the_command(finished):
    with finished.changed(lambda config: config["gwas"].update(covariates=["sex"])) as study:
        assert study("--dry-run").jobs() == study.dry().jobs()


def test_changing_the_covariates(finished):
    with finished.changed(lambda config: config["gwas"].update(covariates=["sex"])) as study:
        run = study.dry()
    assert rules(run) == AFTER_PHENOTYPES
    assert {model for rule, model in run.jobs() if rule == "gwas_chromosome"} == MODELS


def test_changing_the_epochs_of_one_model(finished):
    with finished.changed(lambda config: config["models"]["simclr"].update(epochs=2)) as study:
        run = study.dry()
    of_the_model = {"pretrain_fold", "embed_fold", "align_folds", "phenotypes_embedded", "gwas_chromosome"}
    of_the_model |= {"loci_model", "plots_manhattan", "plots_overview", "plots_qq", "plots_training"}
    of_the_model |= {"plots_features", "plots_regional", "plots_map", "plots_points", "followup_model"}
    assert rules(run) == of_the_model | AT_COMMON_SAMPLES | {"evaluate_samples", "evaluate_cost", "evaluate", "report"}
    assert {model for rule, model in run.jobs() if rule not in AT_COMMON_SAMPLES} == {"simclr", ""}


def test_changing_the_clumping(finished):
    with finished.changed(lambda config: config["loci"].update(kb=100)) as study:
        again = rules(study.dry())
    figures = {"plots_manhattan", "plots_overview", "plots_features", "plots_regional"}
    assert again == {"loci_model", "followup_model", *figures, "evaluate_loci", "evaluate", "report"}


def test_changing_how_many_features_are_looked_at_again(finished):
    with finished.changed(lambda config: config.update(followup={"features": 2})) as study:
        assert rules(study.dry()) == {"followup_model", "report"}


def test_changing_the_window_of_regional_plots(finished):
    with finished.changed(lambda config: config.update(plots={"regional_kb": 200})) as study:
        assert rules(study.dry()) == {"plots_regional", "report"}


def test_a_new_covariate_trains_nothing(finished):
    path = finished.folder / "resources/demo/covariates.tsv"
    before = path.read_text()
    lines = before.splitlines()
    path.write_text("\n".join([lines[0] + "\tbatch", *(line + "\t1" for line in lines[1:])]) + "\n")
    try:
        assert rules(finished.dry()) - {"simulate_cohort"} == AFTER_PHENOTYPES
    finally:
        path.write_text(before)


@pytest.mark.parametrize(
    ("block", "key", "value", "untouched"),
    [
        ("samples", "heldout", 0.4, {"samples", "snps", "images"}),
        ("genotypes", "qc", {"sample_call_rate": 0.9}, {"genotypes_variants"}),
        ("evaluate", "kb", 50, {"pretrain_fold", "gwas_chromosome", "loci_model"}),
    ],
)
def test_a_key_reruns_no_rule_that_does_not_read_it(finished, block, key, value, untouched):
    with finished.changed(lambda config: config[block].update({key: value})) as study:
        again = rules(study.dry())
    assert again, "the key has an effect"
    assert not again & untouched


def test_reordering_the_config_changes_nothing(finished):
    def reverse(value):
        return {key: reverse(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    with finished.changed(reverse) as study:
        assert rules(study.dry()) <= {"evaluate", "report"}, "models are listed in the order of the config"


@pytest.mark.parametrize(
    ("module", "first"),
    [("loci/clump.py", {"loci_model"}), ("gwas/engine.py", {"gwas_chromosome"}), ("plots/qq.py", {"plots_qq"})],
)
def test_editing_a_module_reruns_what_runs_it(finished, module, first):
    with finished.edited(f"contigwas/{module}", "EDITED = True"):
        again = rules(finished.dry())
    assert first <= again
    assert not again & {"samples", "pretrain_fold", "embed_fold", "phenotypes_embedded", "snps"}
    assert rules(finished.dry()) == set(), "a file put back as it was reruns nothing"


def test_editing_a_script_reruns_its_rule(finished):
    with finished.edited("workflow/scripts/loci_model.py", "EDITED = True"):
        again = rules(finished.dry())
    assert "loci_model" in again and not again & {"gwas_chromosome", "pretrain_fold"}


def test_every_rule_counts_the_script_that_it_runs(root):
    always_runs = {"preflight.smk"}
    for path in (root / "workflow/rules").glob("*.smk"):
        counted = re.findall(r'code_of\("(\w+)"\)', path.read_text())
        run = re.findall(r'"\.\./scripts/(\w+)\.py"', path.read_text())
        assert counted == run or path.name in always_runs, path.name


def test_touching_files_changes_nothing(finished):
    touched = ["resources/demo/covariates.tsv", "resources/demo/genotypes/chr1.bed", "contigwas/gwas/engine.py"]
    touched += ["workflow/scripts/gwas_chromosome.py", "workflow/rules/gwas.smk", "workflow/Snakefile"]
    for path in touched:
        os.utime(finished.folder / path)
    assert rules(finished.dry()) == set()


def test_adding_a_model_runs_that_model_alone(finished):
    def add(config):
        config["models"]["second"] = config["models"]["simclr"] | {"epochs": 2}

    with finished.changed(add) as study:
        run = study.dry()
    assert {model for rule, model in run.jobs() if rule not in AT_COMMON_SAMPLES} == {"second", ""}
    of_all = {rule for rule, model in run.jobs() if not model}
    assert of_all == {"evaluate_samples", "evaluate_cost", "evaluate", "report"}


def test_without_common_samples_a_model_more_leaves_the_others_alone(finished):
    def add(config):
        config["evaluate"]["common_samples"] = False
        config["models"]["second"] = config["models"]["simclr"] | {"epochs": 2}

    with finished.changed(add) as study:
        run = study.dry()
    assert {model for _, model in run.jobs()} == {"second", ""}
    assert {rule for rule, model in run.jobs() if not model} == {"evaluate_cost", "evaluate", "report"}


def test_adding_a_sample_to_the_images_trains_again(finished):
    path = finished.folder / "resources/demo/images.tsv"
    before = path.read_text()
    pictured = set(pd.read_csv(path, sep="\t", dtype=str)["iid"])
    everyone = pd.read_csv(finished.folder / "results/samples/candidates.tsv", sep="\t", dtype=str)["iid"]
    new = next(one for one in everyone if one not in pictured)
    path.write_text(before + before.splitlines()[1].replace(before.splitlines()[1].split("\t")[0], new, 1) + "\n")
    try:
        again = rules(finished.dry())
    finally:
        path.write_text(before)
    assert again >= {"samples_candidates", "images", "pretrain_fold", "embed_fold", "gwas_chromosome"}


def test_withdrawing_a_sample_trains_nothing(finished):
    """Also by a list that looks older than the results."""
    (finished.folder / "withdrawn.txt").write_text("1000049\n")
    os.utime(finished.folder / "withdrawn.txt", (1, 1))
    with finished.changed(lambda config: config["samples"].update(withdrawn="withdrawn.txt")) as study:
        again = rules(study.dry())
    assert again >= {"samples_candidates", "samples", "images", "snps", "embed_fold", "gwas_chromosome", "withdrawal"}
    assert not again & {"pretrain_fold", "training_inputs_digest", "plots_training", "simulate_cohort"}


KEYS = [
    "seed",
    "math_threads",
    "samples.folds",
    "samples.heldout",
    "samples.max_kinship",
    "genotypes.qc.maf",
    "genotypes.prune.r2",
    "genotypes.pcs",
    "snps.stride",
    "pgs.min_overlap",
    "burden.max_aaf",
    "images.size",
    "embed.augment",
    "phenotypes.components",
    "gwas.min_ac",
    "loci.r2",
    "evaluate.kb",
    "models.contig.lr",
    "models.latents.transform",
    "pretrain.save_minutes",
]


@pytest.fixture(scope="module")
def before(finished):
    """The DAG of the finished study, as docs/reruns.md compares it."""
    with rerun_dag.building(
        finished.folder, finished.config, finished.folder / "workflow/Snakefile", ["all"], force=True
    ) as one:
        return rerun_dag.read(one)


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_snakemake_decides_as_the_table_says(finished, before, key):
    """For the small study, docs/reruns.py predicts the jobs that Snakemake would run."""
    config = yaml.safe_load(finished.config.read_text())
    general = ".".join(["models", "<name>", *key.split(".")[2:]]) if key.startswith("models.") else key
    after = reruns.changed(copy.deepcopy(config), key, reruns.keys()[general])
    folder = finished.folder
    with finished.changed(lambda config: after):
        decided = rerun_dag.needed(folder, finished.config)
        with rerun_dag.building(
            folder, finished.config, folder / "workflow/Snakefile", ["all"], force=True
        ) as workflow:
            new = rerun_dag.read(workflow)
    assert decided == set(new.again(before).every)
