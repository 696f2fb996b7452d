"""The whole evaluation on small files: one model or two, with a truth and without, at common samples or not."""

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from contigwas.evaluate import models
from contigwas.evaluate.common_samples import write_common_samples
from contigwas.evaluate.models import Model, Study, evaluate, models_of
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
    samples = pd.read_parquet(study["phenotypes"])[["iid"]].assign(gwas_included=1)
    samples.to_csv(tmp_path / "cohort.tsv", sep="\t", index=False)
    write_loci({"1": gwas}, str(study["pattern"]), tmp_path / "cohort.tsv", CLUMP | {"build": "GRCh37"}, loci)
    return tmp_path, str(study["pattern"]), Model(loci, [summary], *files)


def run(folder, compared, study):
    outputs = {name: folder / f"out/{name}.tsv" for name in TABLES}
    outputs |= {"png": folder / "out/models.png", "pdf": folder / "out/models.pdf"}
    evaluate(compared, study, CHOSEN, outputs)
    assert all(path.stat().st_size for path in outputs.values())
    return {name: pd.read_csv(outputs[name], sep="\t") for name in TABLES}


def test_files_go_to_their_models():
    """`b` alone was trained, in two folds; both are tested at common samples on two chromosomes."""
    both = {
        kind: [f"a.{kind}", f"b.{kind}"]
        for kind in ("loci", "phenotypes", "covariates", "embeddings", "common_sample_loci")
    }
    lists = {
        kind: [f"{model}.{chrom}.{kind}" for model in "ab" for chrom in (1, 2)]
        for kind in ("summaries", "common_sample_summaries")
    }
    files = both | lists | {"histories": ["b.0", "b.1"], "samples": ["another input"]}
    found = models_of(files, ["a", "b"], ["a", "b"], [("b", 2)], ["a", "b"])
    assert list(found) == ["a", "b"]
    for model, one in found.items():
        assert {one.loci, one.phenotypes, one.covariates, one.embeddings, one.common_sample_loci} == {
            f"{model}.{kind}" for kind in both
        }
        assert one.summaries == [f"{model}.1.summaries", f"{model}.2.summaries"]
        assert one.common_sample_summaries == [
            f"{model}.1.common_sample_summaries",
            f"{model}.2.common_sample_summaries",
        ]
    assert (found["a"].histories, found["b"].histories) == ((), ["b.0", "b.1"])
    alone = models_of(
        files | {"common_sample_loci": [], "common_sample_summaries": [], "histories": []}, ["a", "b"], ["b", "a"]
    )
    assert (alone["a"].embeddings, alone["a"].common_sample_loci, alone["a"].common_sample_summaries) == (
        "b.embeddings",
        None,
        (),
    )


@pytest.mark.parametrize(
    ("kind", "names"),
    [("loci", ["a", "b", "c"]), ("loci", ["a"]), ("summaries", ["a", "b", "c"]), ("histories", ["a"])],
)
def test_files_that_are_of_no_model(kind, names):
    files = {key: ["a", "b"] for key in ("loci", "phenotypes", "covariates", "summaries")}
    files |= {key: [] for key in ("embeddings", "histories", "common_sample_loci", "common_sample_summaries")}
    with pytest.raises(ValueError, match=f"files of {kind}"):
        models_of(files | {kind: names}, ["a", "b"], trained=[("a", 2)] if kind == "histories" else [])


def test_one_model_without_a_truth(cohort):
    folder, pattern, model = cohort
    got = run(folder, {"traits": model}, Study(pattern, "1"))
    loci = pd.read_csv(model.loci, sep="\t")
    row = got["models"].iloc[0]
    assert len(got["models"]) == 1 and len(loci) > 1
    assert row[["n_samples", "features", "loci", "shared_loci", "private_loci"]].tolist() == [
        300,
        4,
        len(loci),
        0,
        len(loci),
    ]
    assert np.isnan(row["n_common_samples"]) and np.isnan(row["common_sample_loci"])
    assert not {"planted", "power", "common_sample_planted_found"} & set(got["models"].columns)
    of_features = got["heritability"]["adjusted_r2"]
    assert len(of_features) == 4
    assert row["h2_leads"] == pytest.approx(of_features.mean())
    assert row["h2_leads_sum"] == pytest.approx(of_features.sum())
    assert set(got["calibration"]["test"]) == {"E1", "E2", "E3", "E4", "minp", "manova", "acat"}
    assert row["lambda"] == got["calibration"].set_index("test").loc["manova", "lambda"]
    assert not len(got["planted"]) and not len(got["downstream"]) and not len(got["probes"])


def test_samples_are_those_whom_the_gwas_tests(cohort):
    """Not all who have features: 40 of 300 have no genotypes, seven others lack a covariate."""
    folder, pattern, model = cohort
    strangers = pd.read_parquet(model.phenotypes)
    strangers.loc[strangers.index[:40], "iid"] = [f"x{i}" for i in range(40)]
    strangers.to_parquet(model.phenotypes, index=False)
    table = pd.read_parquet(model.covariates).set_index("iid")
    table.loc[strangers["iid"].iloc[-7:], table.columns[0]] = np.nan
    table.reset_index().to_parquet(model.covariates, index=False)
    write_gwas(pattern, "1", None, model.phenotypes, model.covariates, SETTINGS | {"columns": None},
               folder / "again.parquet", folder / "again.summary.parquet")  # fmt: skip
    tested = pd.read_parquet(folder / "again.parquet")["n"].max()
    got = run(folder, {"traits": model}, Study(pattern, "1"))
    assert got["models"]["n_samples"].tolist() == [tested] == [253]


def test_a_model_without_a_p_at_common_samples_is_na_and_not_compared(cohort, caplog):
    """Of three models that test the same samples one has no p of the loci's test."""
    folder, pattern, model = cohort
    table = pd.read_parquet(model.summaries[0])
    table.assign(count=table["count"].where(table["test"] != "manova", 0)).to_parquet(
        folder / "no.parquet", index=False
    )
    some = pd.read_parquet(model.phenotypes).head(200)
    some.to_parquet(folder / "some.parquet", index=False)
    pd.read_csv(model.loci, sep="\t").head(0).to_csv(folder / "none.tsv", sep="\t", index=False)
    whole = replace(model, common_sample_loci=model.loci, common_sample_summaries=model.summaries)
    part = replace(whole, phenotypes=folder / "some.parquet", common_sample_summaries=())
    bare = replace(model, common_sample_loci=folder / "none.tsv", common_sample_summaries=[folder / "no.parquet"])
    compared = {"whole": whole, "part": part, "bare": bare}
    tables = {name: one.phenotypes for name, one in compared.items()}
    designs = dict.fromkeys(tables, model.covariates)
    write_common_samples(tables, designs, pattern, "1", folder / "private/samples.parquet", folder / "samples.tsv")
    truth = pd.read_csv(model.loci, sep="\t", dtype={"chrom": str}).rename(columns={"lead_id": "id"}).head(1)
    truth[["chrom", "pos", "id"]].assign(kind="planted", latent="E1", q2=0.1).to_csv(
        folder / "truth.tsv", sep="\t", index=False
    )
    samples = {"counts": folder / "samples.tsv", "samples": folder / "private/samples.parquet"}
    with caplog.at_level("WARNING"):
        got = run(folder, compared, Study(pattern, "1", folder / "truth.tsv", **samples))
    assert "bare has no p of manova at common samples" in caplog.text
    rows = got["models"].set_index("model")
    assert rows["n_common_samples"].tolist() == [200] * 3
    columns = [
        "common_sample_loci",
        "common_sample_planted_found",
        "common_sample_false_loci",
        "shared_loci",
        "private_loci",
    ]
    assert rows.loc["bare", columns].isna().all() and rows.loc[["whole", "part"], columns].notna().all(axis=None)
    assert rows.loc["bare", "loci"] == rows.loc["whole", "loci"]
    assert set(got["loci_shared"]["model"]) == {"whole", "part"} and set(got["loci_shared"]["samples"]) == {"equal"}
    assert set(got["heritability"]["model"]) == {"whole", "part"}


def test_true_traits_are_asked_of_the_tested_alone_families_apart(cohort, monkeypatch):
    folder, pattern, model = cohort
    some = pd.read_parquet(model.phenotypes).head(200)
    some.to_parquet(folder / "some.parquet", index=False)
    everyone = pd.read_parquet(model.phenotypes).set_index("iid")
    latents = everyone[["E1"]].reset_index()
    latents.to_csv(folder / "latents.tsv", sep="\t", index=False)
    ad.AnnData(everyone.to_numpy("f4"), obs=pd.DataFrame({"tested": True}, index=everyone.index)).write_h5ad(
        folder / "e.h5ad"
    )
    columns = {"fid": 0, "sex": 1, "fold": 0, "gwas_included": 1, "exclusion": ""}
    samples = latents[["iid"]].assign(family=[f"f{i // 2}" for i in range(300)], **columns)
    samples.to_csv(folder / "samples.tsv", sep="\t", index=False)
    seen, true = [], models.probe
    monkeypatch.setattr(models, "probe", lambda *given: seen.append(given) or true(*given))
    study = Study(pattern, "1", latents=folder / "latents.tsv", cohort=folder / "samples.tsv")
    one = replace(model, phenotypes=folder / "some.parquet", embeddings=folder / "e.h5ad")
    got = run(folder, {"traits": one}, study)["probes"]
    assert got["n_samples"].tolist() == [200] and got["r2"].item() > 0.9
    families = seen[0][2]
    assert families.nunique() == 150 and set(families.groupby(families).size()) == {2}


def test_two_models_with_a_truth_at_common_samples(cohort):
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
        folder / "first.tsv",
        model.summaries,
        model.phenotypes,
        model.covariates,
        common_sample_loci=folder / "first.tsv",
    )
    whole = Model(model.loci, model.summaries, model.phenotypes, model.covariates, common_sample_loci=model.loci)
    tables = {"first": model.phenotypes, "whole": model.phenotypes}
    designs = dict.fromkeys(tables, model.covariates)
    write_common_samples(tables, designs, pattern, "1", folder / "private/samples.parquet", folder / "samples.tsv")
    study = Study(
        pattern, "1", folder / "truth.tsv", counts=folder / "samples.tsv", samples=folder / "private/samples.parquet"
    )
    got = run(folder, {"first": first, "whole": whole}, study)["models"].set_index("model")
    assert got.loc["first", ["planted", "planted_found", "false_loci", "power"]].tolist() == [2, 1, 0, 0.5]
    near = ((loci["pos"] - lead["pos"]).abs() <= 1000).sum()
    assert got.loc["whole", "false_discovery"] == pytest.approx((len(loci) - near) / len(loci), abs=1 / len(loci))
    assert got["n_common_samples"].tolist() == [300, 300]
    assert got["common_sample_loci"].tolist() == [1, len(loci)]
    assert got["common_sample_planted_found"].tolist() == [1, 1]
    assert got.loc["first", ["shared_loci", "private_loci"]].tolist() == [1, 0]
    assert got.loc["whole", "shared_loci"] >= 1
    assert (got["shared_loci"] + got["private_loci"] == got["common_sample_loci"]).all()


def test_too_few_samples_in_common_leave_na_and_own_loci_are_compared(cohort, caplog):
    folder, pattern, model = cohort
    few = pd.read_parquet(model.phenotypes).head(20)
    few.to_parquet(folder / "few.parquet", index=False)
    tables = {"all": model.phenotypes, "few": folder / "few.parquet"}
    designs = dict.fromkeys(tables, model.covariates)
    write_common_samples(tables, designs, pattern, "1", folder / "private/samples.parquet", folder / "samples.tsv")
    with caplog.at_level("WARNING"):
        both = {"all": model, "few": replace(model, phenotypes=folder / "few.parquet")}
        got = run(
            folder, both, Study(pattern, "1", counts=folder / "samples.tsv", samples=folder / "private/samples.parquet")
        )
    assert "only 20 samples are tested by all models" in caplog.text
    assert got["models"]["n_common_samples"].tolist() == [20, 20]
    assert got["models"]["common_sample_loci"].isna().all()
    assert (got["models"]["shared_loci"] == got["models"]["loci"]).all()
    assert set(got["loci_shared"]["samples"]) == {"own"}


def test_variance_by_leads_and_linkage_with_the_truth_are_those_at_common_samples(cohort, monkeypatch):
    """Two models with the same features and loci, one of which tests all samples and the other 200, are alike there."""
    folder, pattern, model = cohort
    part = pd.read_parquet(model.phenotypes).sort_values("iid").head(200)
    part.to_parquet(folder / "part.parquet", index=False)
    lead = pd.read_csv(model.loci, sep="\t", dtype={"chrom": str})
    lead.tail(1).to_csv(folder / "one.tsv", sep="\t", index=False)
    truth = lead.tail(1).rename(columns={"lead_id": "id"})[["chrom", "pos", "id"]]
    truth.assign(kind="planted", latent="E1", q2=0.1).to_csv(folder / "truth.tsv", sep="\t", index=False)
    whole = replace(model, common_sample_loci=folder / "one.tsv", common_sample_summaries=model.summaries)
    some = replace(whole, loci=folder / "one.tsv", phenotypes=folder / "part.parquet")
    tables = {"whole": whole.phenotypes, "some": some.phenotypes}
    designs = dict.fromkeys(tables, model.covariates)
    write_common_samples(tables, designs, pattern, "1", folder / "private/samples.parquet", folder / "samples.tsv")
    linked, true = [], models.linkage
    monkeypatch.setattr(models, "linkage", lambda *given: linked.append(set(given[3])) or true(*given))
    study = Study(
        pattern, "1", folder / "truth.tsv", counts=folder / "samples.tsv", samples=folder / "private/samples.parquet"
    )
    got = run(folder, {"whole": whole, "some": some}, study)
    rows = got["models"].set_index("model")
    assert rows.loc["whole", "loci"] > rows.loc["some", "loci"] == 1
    assert rows["n_samples"].tolist() == [300, 200]
    assert rows.loc["whole", "h2_leads"] == pytest.approx(rows.loc["some", "h2_leads"])
    assert set(got["heritability"]["n_samples"]) == {200} and set(got["heritability"]["leads"]) == {1}
    equal = set(part["iid"])
    assert [len(samples) for samples in linked] == [300, 200, 200, 200] and linked[1] == linked[3] == equal
