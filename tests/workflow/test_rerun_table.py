"""The table of docs/dev/reruns.md: made anew for every key of the schema, and what must be true of it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import rerun_dag
import reruns

pytestmark = pytest.mark.slow


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
    """But for the list of the withdrawn: every other file is an external input of a training input's digest."""
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
    digests = {job for job in before if job[0] == "training_inputs_digest"}
    reported = {path for job in digests for path in dag.jobs[job][1]}
    read = {path for job in before - digests for path in dag.jobs[job][1]} - outputs
    assert read - reported == {"in/withdrawn.txt"}
    assert "in/array/chr1.bed" in reported


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
