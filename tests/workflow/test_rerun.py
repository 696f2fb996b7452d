"""What runs again after a change: exactly the rules that read it, and those after them."""

from contextlib import contextmanager

import pytest
import yaml

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
    "evaluate",
    "report",
}
MODELS = {"contig", "inner", "simclr", "latents"}


@contextmanager
def changed(study, change):
    """The study with its config changed; as it was afterwards."""
    before = study.config.read_text()
    config = yaml.safe_load(before)
    study.config.write_text(yaml.safe_dump(change(config) or config, sort_keys=False))
    try:
        yield study
    finally:
        study.config.write_text(before)


def rules(run) -> set[str]:
    assert run.status == 0, run.text[-3000:]
    return {rule for rule, _ in run.jobs()}


def test_nothing_to_do_after_a_finished_run(finished):
    run = finished.dry()
    assert not run.jobs(), run.text
    assert "Nothing to be done" in run.text


def test_changing_the_covariates(finished):
    with changed(finished, lambda config: config["gwas"].update(covariates=["sex"])) as study:
        run = study.dry()
    assert rules(run) == AFTER_PHENOTYPES
    assert {model for rule, model in run.jobs() if rule == "gwas_chromosome"} == MODELS


def test_changing_the_epochs_of_one_model(finished):
    with changed(finished, lambda config: config["models"]["simclr"].update(epochs=2)) as study:
        run = study.dry()
    of_the_model = {"pretrain_fold", "embed_fold", "align_folds", "phenotypes_embedded", "gwas_chromosome"}
    of_the_model |= {"loci_model", "plots_manhattan", "plots_overview", "plots_qq", "plots_training"}
    of_the_model |= {"plots_features", "plots_regional", "followup_model"}
    assert rules(run) == of_the_model | {"evaluate", "report"}
    assert {model for _, model in run.jobs()} == {"simclr", ""}


def test_changing_the_clumping(finished):
    with changed(finished, lambda config: config["loci"].update(kb=100)) as study:
        again = rules(study.dry())
    figures = {"plots_manhattan", "plots_overview", "plots_features", "plots_regional"}
    assert again == {"loci_model", "followup_model", *figures, "evaluate", "report"}


def test_changing_how_many_features_are_looked_at_again(finished):
    with changed(finished, lambda config: config.update(followup={"features": 2})) as study:
        assert rules(study.dry()) == {"followup_model", "report"}


def test_changing_the_window_of_regional_plots(finished):
    with changed(finished, lambda config: config.update(plots={"regional_kb": 200})) as study:
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
    with changed(finished, lambda config: config[block].update({key: value})) as study:
        again = rules(study.dry())
    assert again, "the key has an effect"
    assert not again & untouched


def test_reordering_the_config_changes_nothing(finished):
    def reverse(value):
        return {key: reverse(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    with changed(finished, reverse) as study:
        assert rules(study.dry()) <= {"evaluate", "report"}, "models are listed in the order of the config"


@pytest.mark.parametrize(
    ("module", "first"),
    [("loci/clump.py", {"loci_model"}), ("gwas/engine.py", {"gwas_chromosome"}), ("plots/qq.py", {"plots_qq"})],
)
def test_editing_a_module_reruns_what_runs_it(finished, module, first):
    path = finished.folder / "contigwas" / module
    before = path.read_text()
    path.write_text(before + "\n# edited\n")
    try:
        again = rules(finished.dry())
    finally:
        path.write_text(before)
    assert first <= again
    assert not again & {"samples", "pretrain_fold", "embed_fold", "phenotypes_embedded", "snps"}
    assert rules(finished.dry()) == set(), "a file put back as it was reruns nothing"
