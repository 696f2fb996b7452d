"""The target `export`: what it makes, that a plain run does not make it, and what a change of its block reruns."""

import gzip

import pandas as pd
import pytest
import yaml

from tests.workflow.test_bad_input import SAMPLES, cohort, set_config

EVERY = ["gwas-ssf", "plink2", "ldsc", "phenotypes"]
RULES = {"export_gwas_ssf", "export_plink2", "export_ldsc", "export_phenotypes", "export"}


def rules(run) -> set[str]:
    assert run.status == 0, run.text[-3000:]
    return {rule for rule, _ in run.jobs()}


def test_the_demo_exports_every_model_and_only_when_asked(study):
    run = study()
    jobs = run.dry("export").jobs()
    models = yaml.safe_load((run.folder / "config/config.yaml").read_text())["models"]
    assert {model for rule, model in jobs if rule == "export_gwas_ssf"} == set(models)
    assert not {rule for rule, _ in jobs} & {"export_plink2", "export_ldsc", "loci_model", "report"}
    assert not rules(run.dry()) & RULES


@pytest.mark.slow
def test_export_and_what_runs_again(study):
    run = study("phenotypes.yaml")
    cohort(run.folder)
    set_config(run, export={"formats": EVERY})
    done = run("export")
    assert done.status == 0, done.text[-4000:]
    results = run.folder / "results"
    tested = pd.read_parquet(results / "models/traits/gwas/chr1.parquet")
    for path in ("gwas-ssf/height.tsv.gz", "plink2/weight.glm.linear.gz", "ldsc/height.sumstats.gz"):
        lines = gzip.decompress((results / "models/traits" / path).read_bytes()).splitlines()
        assert len(lines) == 1 + len(tested) > 50, path
    assert (results / "models/traits/plink2/manova.omnibus.gz").is_file()
    assert yaml.safe_load((results / "models/traits/gwas-ssf/height.tsv.gz-meta.yaml").read_text())["samples"]
    private = results / "private"
    assert set(pd.read_csv(private / "traits.phenotypes.tsv", sep="\t", dtype=str)["IID"]) <= set(SAMPLES)
    assert private.stat().st_mode & 0o777 == 0o700
    assert "60 rows, 0 left out" in (results / "logs/export_gwas_ssf/traits.log").read_text()

    assert rules(run.dry("export")) <= {"export"}
    changes = [
        ({"features": ["weight"]}, RULES),
        ({"log10_p": True}, {"export_plink2", "export"}),
        ({"metadata": {"author_notes": "a note"}}, {"export_gwas_ssf", "export"}),
        ({"formats": ["plink2", "ldsc"]}, {"export"}),
    ]
    for change, expected in changes:
        before = run.config.read_text()
        set_config(run, export=change)
        assert rules(run.dry("export")) | {"export"} == expected, change
        assert not rules(run.dry("gwas")), change
        run.config.write_text(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("features", "sentence"),
    [(["hight"], "Did you mean height"), (["minp"], "only tests over features (minp), which have no effect size")],
)
def test_a_feature_that_cannot_be_exported_ends_in_one_sentence(study, features, sentence):
    run = study("phenotypes.yaml")
    cohort(run.folder)
    set_config(run, export={"features": features})
    done = run("export")
    assert done.status != 0
    reported = {line for line in done.text.splitlines() if line.startswith("contigwas: ")}
    assert len(reported) == 1 and sentence in reported.pop(), done.text[-3000:]
    assert "Traceback" not in done.text
    assert not (run.folder / "results/models/traits/gwas-ssf").exists()
