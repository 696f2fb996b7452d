"""Preflight as a user calls it: snakemake preflight."""

import pytest

from tests.preflight_files import SAMPLES, Spoiled
from tests.preflight_files import write_study as write
from tests.preflight_mistakes import (
    absent_covariate,
    headerless_keep,
    kept,
    kinship_without_column,
    lock_left,
    results_is_a_file,
    score_of_other_build,
    truncated,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def run(study):
    """A study of the workflow with the files of a spoiled one; its config is saved before every run."""
    made = study("phenotypes.yaml")
    return made, Spoiled(made.folder, write(made.folder))


def test_the_target(run):
    workflow, spoiled = run
    spoiled.save(workflow.config)
    done = workflow("preflight")
    assert done.status == 0, done.text[-3000:]
    assert "preflight: 0 errors and" in done.text
    assert workflow("preflight").text.count("FACTS (") == 1, "it runs again, because it writes nothing"
    assert not (spoiled.folder / "results").exists()


@pytest.mark.parametrize(
    ("mistakes", "remedies"),
    [
        ([truncated, headerless_keep], ["it is truncated", "keep.tsv has no column iid"]),
        ([absent_covariate, results_is_a_file], ["Correct the names", "another folder with --directory"]),
        ([kinship_without_column, score_of_other_build], ["has no column KINSHIP", "harmonised to GRCh37"]),
    ],
)
def test_the_target_lists_all_errors(run, mistakes, remedies):
    workflow, spoiled = run
    for mistake in mistakes:
        mistake(spoiled)
    spoiled.save(workflow.config)
    done = workflow("preflight")
    assert done.status == 1
    assert "Traceback" not in done.text
    for remedy in remedies:
        assert remedy in kept(done.text), done.text[-4000:]
    assert not [iid for iid in SAMPLES if iid in done.text]


def test_missing_files_end_other_targets_at_once(run):
    workflow, spoiled = run
    spoiled.set(samples={"keep": "k.tsv"}, loci={"genes": "g.gtf"})
    spoiled.save(workflow.config)
    both = workflow("preflight")
    assert both.status == 1
    assert "k.tsv, which does not exist" in kept(both.text)
    assert "g.gtf, which does not exist" in kept(both.text)
    other = workflow.dry("samples")
    assert other.status == 1
    assert other.text.count("which does not exist: correct the path or add the file") == 1
    assert workflow("--dry-run", "preflight", "samples").status == 1


@pytest.mark.parametrize(
    ("blocks", "sentence"),
    [
        ({"genotypes": {"chromosomes": ["X"]}}, "add at least one"),
        ({"gwas": {"covariate": ["sex"]}}, "did you mean covariates?"),
        ({"loci": {"p1": "5e-8"}}, "write it without quotes and with a point"),
    ],
)
def test_mistakes_of_the_config(run, blocks, sentence):
    workflow, spoiled = run
    spoiled.set(**blocks)
    spoiled.save(workflow.config)
    done = workflow("preflight")
    assert done.status == 1
    assert sentence in done.text
    assert "Traceback" not in done.text


def test_a_lock_does_not_stop_it(run):
    workflow, spoiled = run
    lock_left(spoiled)
    spoiled.save(workflow.config)
    done = workflow("preflight")
    assert done.status == 0, done.text[-3000:]
    assert "unlock it with snakemake --unlock" in kept(done.text)


def test_the_demo_before_anything_is_made(study):
    done = study()("preflight")
    assert done.status == 0, done.text[-3000:]
    text = kept(done.text)
    assert "created by the run: resources/demo/genotypes/chr{chrom}.bed" in text
    assert "created by the run: resources/demo/images.tsv" in text
    assert "created by the run: resources/demo/pgs/*.txt.gz" in text
