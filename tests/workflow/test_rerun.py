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
    "phenotypes_brought",
    "gwas_chromosome",
    "loci_model",
    "followup_model",
    "plots_manhattan",
    "plots_overview",
    "plots_features",
    "plots_regional",
    "plots_qq",
    "plots_map",
    "evaluate_people",
    "evaluate_gwas",
    "evaluate_loci",
    "plots_points",
    "evaluate",
    "report",
}
# of every model, since the people of one decide whom all test
AT_EQUAL_PEOPLE = {"evaluate_gwas", "evaluate_loci"}
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
    assert rules(run) == of_the_model | AT_EQUAL_PEOPLE | {"evaluate_people", "evaluate_cost", "evaluate", "report"}
    assert {model for rule, model in run.jobs() if rule not in AT_EQUAL_PEOPLE} == {"simclr", ""}


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
        ("genotypes", "qc", {"person_call_rate": 0.9}, {"genotypes_variants"}),
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
        counted = re.findall(r'script="(\w+)"', path.read_text())
        run = re.findall(r'"\.\./scripts/(\w+)\.py"', path.read_text())
        assert counted == run or path.name in always_runs, path.name


def test_touching_files_changes_nothing(finished):
    touched = ["resources/demo/covariates.tsv", "resources/demo/genotypes/chr1.bed", "contigwas/gwas/engine.py"]
    touched += ["workflow/scripts/gwas_chromosome.py", "workflow/rules/gwas.smk", "Snakefile"]
    for path in touched:
        os.utime(finished.folder / path)
    assert rules(finished.dry()) == set()


def test_adding_a_model_runs_that_model_alone(finished):
    def add(config):
        config["models"]["second"] = config["models"]["simclr"] | {"epochs": 2}

    with finished.changed(add) as study:
        run = study.dry()
    assert {model for rule, model in run.jobs() if rule not in AT_EQUAL_PEOPLE} == {"second", ""}
    of_all = {rule for rule, model in run.jobs() if not model}
    assert of_all == {"evaluate_people", "evaluate_cost", "evaluate", "report"}


def test_without_equal_people_a_model_more_leaves_the_others_alone(finished):
    def add(config):
        config["evaluate"]["equal_people"] = False
        config["models"]["second"] = config["models"]["simclr"] | {"epochs": 2}

    with finished.changed(add) as study:
        run = study.dry()
    assert {model for _, model in run.jobs()} == {"second", ""}
    assert {rule for rule, model in run.jobs() if not model} == {"evaluate_cost", "evaluate", "report"}


def test_adding_a_person_to_the_images_trains_again(finished):
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


def test_withdrawing_a_person_trains_nothing(finished):
    """Also by a list that looks older than the results."""
    (finished.folder / "withdrawn.txt").write_text("1000049\n")
    os.utime(finished.folder / "withdrawn.txt", (1, 1))
    with finished.changed(lambda config: config["samples"].update(withdrawn="withdrawn.txt")) as study:
        again = rules(study.dry())
    assert again >= {"samples_candidates", "samples", "images", "snps", "embed_fold", "gwas_chromosome", "withdrawal"}
    assert not again & {"pretrain_fold", "lineage", "plots_training", "simulate_cohort"}


@pytest.fixture(scope="module")
def table():
    """The rows of docs/dev/reruns.md, generated again."""
    return reruns.rows()


def test_the_table_in_the_docs_is_current(table, root):
    """Made of every key of the schema: a key without a row would have stopped it."""
    assert {row.key for row in table} == set(reruns.keys())
    assert reruns.page(table) == (root / "docs/dev/reruns.md").read_text(), "make docs"


def test_every_key_is_read_by_some_rule_but_those_of_how_it_runs(table):
    unread = {row.key for row in table if not row.again.every}
    only_one_value = {"embed.eyes"}
    how_it_runs = {"samples.retrain_on_withdrawal", "pretrain.save_minutes", "pretrain.tensorboard"}
    assert unread == how_it_runs | only_one_value


def test_only_a_withdrawal_leaves_the_weights_alone(table):
    """Training depends on what its inputs are made of: on nothing less than they do, but for who withdrew."""
    spared = {row.key for row in table if row.again.rules != row.even_ancient.rules}
    assert spared == {"samples.withdrawn"}


COMPONENTS_MATTER = {
    "genotypes": {"ancestry": {"pcs": 2}},
    "covariates": {"columns": ["sex", "PC1"]},
    "models": {
        "contig": {"method": "contig", "modalities": ["snps", "covariates"], "adjust": ["snps"], "adjust_pcs": 2}
    },
}


@pytest.mark.parametrize(
    "key",
    ["genotypes.pcs", "genotypes.pcs_file", "genotypes.kinship", "genotypes.prune.r2", "snps.pruned", "samples.keep"],
)
def test_training_depends_on_components_where_it_reads_them(key):
    row = reruns.row(key, COMPONENTS_MATTER)
    assert row.again.rules == row.even_ancient.rules
    assert "pretrain_fold" in row.again.rules


@pytest.mark.parametrize("beside", [{}, COMPONENTS_MATTER], ids=["plain", "components"])
def test_training_depends_on_every_file_from_outside_that_its_inputs_are_made_of(beside, tmp_path):
    """But for the list of the withdrawn: every other file is an origin of a lineage."""
    config, _ = reruns.study_of("seed")
    config |= {block: {**config[block], **part} for block, part in beside.items()}
    config["models"] = {"contig": {"method": "contig", "modalities": ["snps", "covariates"]}}
    if beside:
        config["models"]["contig"] |= {"adjust": ["snps"], "adjust_pcs": 2}
        config["genotypes"]["pcs_file"] = "in/pcs.tsv"
    dag = rerun_dag.dag(config, tmp_path)
    training = next(job for job in dag.jobs if job[0] == "pretrain_fold")
    before, queue = set(), [training]
    while queue:
        job = queue.pop()
        before.add(job)
        queue += dag.needs_even_ancient[job] - before
    outputs = {path for job in before for path in dag.jobs[job][2]}
    lineages = {job for job in before if job[0] == "lineage"}
    told = {path for job in lineages for path in dag.jobs[job][1]}
    read = {path for job in before - lineages for path in dag.jobs[job][1]} - outputs
    assert read - told == {"in/withdrawn.txt"}
    assert "in/array/chr1.bed" in told


def test_what_is_looked_at_afterwards_changes_nothing_before(table):
    for row in table:
        block = row.key.partition(".")[0]
        if block in ("gwas", "phenotypes", "loci", "followup", "export", "plots", "evaluate"):
            assert not row.again.rules & {"samples", "images", "snps", "pgs", "burden", "pretrain_fold", "embed_fold"}
        if block in ("loci", "followup", "export", "plots", "evaluate"):
            assert not row.again.rules & {"phenotypes_embedded", "gwas_chromosome"}, row.key


def test_a_new_chromosome_brings_jobs_of_its_own_and_changes_no_settings_of_others(table):
    row = next(row for row in table if row.key == "genotypes.chromosomes")
    judged = {dict(wildcards)["chrom"] for rule, wildcards in row.again.first if rule == "genotypes_variants"}
    assert judged == {"2"}
    assert row.again.rules >= {"samples_candidates", "snps", "pretrain_fold", "gwas_chromosome"}


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


@pytest.mark.parametrize("key", KEYS)
def test_snakemake_decides_as_the_table_says(finished, key, tmp_path):
    """For the small study, docs/reruns.py predicts the jobs that Snakemake would run."""
    before = yaml.safe_load(finished.config.read_text())
    general = ".".join(["models", "<name>", *key.split(".")[2:]]) if key.startswith("models.") else key
    after = reruns.changed(copy.deepcopy(before), key, reruns.keys()[general])
    folder = finished.folder
    with finished.changed(lambda config: after):
        decided = rerun_dag.needed(folder, finished.config)
        with rerun_dag.building(folder, finished.config, folder / "Snakefile", ["all"], force=True) as workflow:
            new = rerun_dag.read(workflow)
    with rerun_dag.building(folder, finished.config, folder / "Snakefile", ["all"], force=True) as workflow:
        old = rerun_dag.read(workflow)
    assert decided == set(new.again(old).every)
