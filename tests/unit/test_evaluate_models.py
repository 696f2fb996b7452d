"""The whole evaluation on small files: one model or two, with a truth and without, at equal people or not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from contigwas.evaluate import models
from contigwas.evaluate.equal import write_equal_people
from contigwas.evaluate.models import Model, Study, evaluate
from contigwas.gwas.gwas import write_gwas
from contigwas.loci import write_loci
from tests.gwas_files import SETTINGS, arrays, write_study

CHOSEN = {"kb": 1, "r2": 0.5, "large_q2": 0.005, "loci_kb": 1, "test": "manova", "missing": "exact"}
CHOSEN |= {"build": "GRCh37", "seed": 1}
CLUMP = {"test": "manova", "p1": 1e-2, "p2": 1e-1, "r2": 0.1, "kb": 1, "feature_p": None, "genes": None}
TABLES = ("models", "planted", "probes", "loci_shared", "calibration", "heritability", "retrieval", "downstream")


@pytest.fixture
def cohort(tmp_path):
    study = write_study(tmp_path, *arrays(6, missing=0))
    gwas, summary, loci = (tmp_path / name for name in ("chr1.parquet", "chr1.summary.parquet", "loci.tsv"))
    files = (study["phenotypes"], study["covariates"])
    write_gwas(str(study["pattern"]), "1", None, *files, SETTINGS | {"columns": None}, gwas, summary)
    people = pd.read_parquet(study["phenotypes"])[["iid"]].assign(in_gwas=1)
    people.to_csv(tmp_path / "cohort.tsv", sep="\t", index=False)
    write_loci({"1": gwas}, str(study["pattern"]), tmp_path / "cohort.tsv", CLUMP | {"build": "GRCh37"}, loci)
    return tmp_path, str(study["pattern"]), Model(loci, [summary], *files)


def run(folder, compared, study):
    outputs = {name: folder / f"out/{name}.tsv" for name in TABLES}
    outputs |= {"png": folder / "out/models.png", "pdf": folder / "out/models.pdf"}
    evaluate(compared, study, CHOSEN, outputs)
    assert all(path.stat().st_size for path in outputs.values())
    return {name: pd.read_csv(outputs[name], sep="\t") for name in TABLES}


def test_one_model_without_a_truth(cohort):
    folder, pattern, model = cohort
    got = run(folder, {"traits": model}, Study(pattern))
    loci = pd.read_csv(model.loci, sep="\t")
    row = got["models"].iloc[0]
    assert len(got["models"]) == 1 and len(loci) > 1
    assert row[["people", "features", "loci", "shared_loci", "private_loci"]].tolist() == [
        300,
        4,
        len(loci),
        0,
        len(loci),
    ]
    assert np.isnan(row["equal_people"]) and np.isnan(row["equal_loci"])
    assert not {"planted", "power", "equal_planted_found"} & set(got["models"].columns)
    of_features = got["heritability"]["adjusted_r2"]
    assert len(of_features) == 4
    assert row["h2_leads"] == pytest.approx(of_features.mean())
    assert row["h2_leads_sum"] == pytest.approx(of_features.sum())
    assert set(got["calibration"]["test"]) == {"E1", "E2", "E3", "E4", "minp", "manova", "acat"}
    assert row["lambda"] == got["calibration"].set_index("test").loc["manova", "lambda"]
    assert not len(got["planted"]) and not len(got["downstream"]) and not len(got["probes"])


def test_two_models_with_a_truth_at_equal_people(cohort):
    folder, pattern, model = cohort
    loci = pd.read_csv(model.loci, sep="\t", dtype={"chrom": str})
    lead = loci.iloc[0]
    truth = pd.DataFrame(
        {"kind": ["planted", "planted"], "chrom": ["1", "1"], "pos": [lead["pos"], 10**8],
         "id": [lead["lead_id"], "far"], "latent": "E1", "q2": 0.1}
    )  # fmt: skip
    truth.to_csv(folder / "truth.tsv", sep="\t", index=False)
    loci.head(1).to_csv(folder / "first.tsv", sep="\t", index=False)
    first = Model(
        folder / "first.tsv", model.summaries, model.phenotypes, model.covariates, equal_loci=folder / "first.tsv"
    )
    whole = Model(model.loci, model.summaries, model.phenotypes, model.covariates, equal_loci=model.loci)
    tables = {"first": model.phenotypes, "whole": model.phenotypes}
    designs = dict.fromkeys(tables, model.covariates)
    write_equal_people(tables, designs, pattern, "1", folder / "private/people.parquet", folder / "people.tsv")
    study = Study(pattern, folder / "truth.tsv", counts=folder / "people.tsv", people=folder / "private/people.parquet")
    got = run(folder, {"first": first, "whole": whole}, study)["models"].set_index("model")
    assert got.loc["first", ["planted", "planted_found", "false_loci", "power"]].tolist() == [2, 1, 0, 0.5]
    near = ((loci["pos"] - lead["pos"]).abs() <= 1000).sum()
    assert got.loc["whole", "false_discovery"] == pytest.approx((len(loci) - near) / len(loci), abs=1 / len(loci))
    assert got["equal_people"].tolist() == [300, 300]
    assert got["equal_loci"].tolist() == [1, len(loci)]
    assert got["equal_planted_found"].tolist() == [1, 1]
    assert got.loc["first", ["shared_loci", "private_loci"]].tolist() == [1, 0]
    assert got.loc["whole", "shared_loci"] >= 1
    assert (got["shared_loci"] + got["private_loci"] == got["equal_loci"]).all()


def test_too_few_people_in_common_leave_na_and_own_loci_are_compared(cohort, caplog):
    folder, pattern, model = cohort
    few = pd.read_parquet(model.phenotypes).head(20)
    few.to_parquet(folder / "few.parquet", index=False)
    tables = {"all": model.phenotypes, "few": folder / "few.parquet"}
    designs = dict.fromkeys(tables, model.covariates)
    write_equal_people(tables, designs, pattern, "1", folder / "private/people.parquet", folder / "people.tsv")
    with caplog.at_level("WARNING"):
        both = {"all": model, "few": replace(model, phenotypes=folder / "few.parquet")}
        got = run(folder, both, Study(pattern, counts=folder / "people.tsv", people=folder / "private/people.parquet"))
    assert "only 20 people are tested by all models" in caplog.text
    assert got["models"]["equal_people"].tolist() == [20, 20]
    assert got["models"]["equal_loci"].isna().all()
    assert (got["models"]["shared_loci"] == got["models"]["loci"]).all()
    assert set(got["loci_shared"]["people"]) == {"own"}


def test_variance_by_leads_and_linkage_with_the_truth_are_those_at_equal_people(cohort, monkeypatch):
    """Two models with the same features and loci, one of which tests all people and the other 200, are alike there."""
    folder, pattern, model = cohort
    part = pd.read_parquet(model.phenotypes).sort_values("iid").head(200)
    part.to_parquet(folder / "part.parquet", index=False)
    lead = pd.read_csv(model.loci, sep="\t", dtype={"chrom": str})
    lead.tail(1).to_csv(folder / "one.tsv", sep="\t", index=False)
    truth = lead.tail(1).rename(columns={"lead_id": "id"})[["chrom", "pos", "id"]]
    truth.assign(kind="planted", latent="E1", q2=0.1).to_csv(folder / "truth.tsv", sep="\t", index=False)
    whole = replace(model, equal_loci=folder / "one.tsv")
    some = replace(whole, loci=folder / "one.tsv", phenotypes=folder / "part.parquet")
    tables = {"whole": whole.phenotypes, "some": some.phenotypes}
    designs = dict.fromkeys(tables, model.covariates)
    write_equal_people(tables, designs, pattern, "1", folder / "private/people.parquet", folder / "people.tsv")
    linked, true = [], models.linkage
    monkeypatch.setattr(models, "linkage", lambda *given: linked.append(set(given[3])) or true(*given))
    study = Study(pattern, folder / "truth.tsv", counts=folder / "people.tsv", people=folder / "private/people.parquet")
    got = run(folder, {"whole": whole, "some": some}, study)
    rows = got["models"].set_index("model")
    assert rows.loc["whole", "loci"] > rows.loc["some", "loci"] == 1
    assert rows["people"].tolist() == [300, 200]
    assert rows.loc["whole", "h2_leads"] == pytest.approx(rows.loc["some", "h2_leads"])
    assert set(got["heritability"]["people"]) == {200} and set(got["heritability"]["leads"]) == {1}
    equal = set(part["iid"])
    assert [len(people) for people in linked] == [300, 200, 200, 200] and linked[1] == linked[3] == equal
