"""Loci of models at common samples, and which of them are shared."""

import numpy as np
import pandas as pd
import pytest

from contigwas.evaluate.common_samples import (
    has_p,
    read_counts,
    write_common_samples,
    write_common_samples_gwas,
    write_common_samples_loci,
)
from contigwas.evaluate.shared_loci import has, shared
from contigwas.gwas.gwas import write_gwas
from tests.gwas_files import SETTINGS, arrays, write_study

WHOLE = SETTINGS | {"columns": None, "max_p": None, "test": "manova"}


@pytest.fixture
def two(tmp_path):
    """One cohort and two models: `all` tests everyone, `some` the first 200 of 300 samples."""
    study = write_study(tmp_path, *arrays(3))
    some = pd.read_parquet(study["phenotypes"]).sort_values("iid").iloc[:200, :3]
    some.to_parquet(tmp_path / "some.parquet", index=False)
    return study | {"some": tmp_path / "some.parquet", "folder": tmp_path}


def count(two, **phenotypes):
    folder = two["folder"]
    tables = {"all": two["phenotypes"], "some": two["some"]} | phenotypes
    covariates = dict.fromkeys(tables, two["covariates"])
    paths = folder / "private/samples.parquet", folder / "samples.tsv"
    write_common_samples(tables, covariates, str(two["pattern"]), "1", *paths)
    return paths


def again(two, model, phenotypes, samples, counts, **settings):
    out, summary = two["folder"] / f"{model}/chr1.parquet", two["folder"] / f"{model}/chr1.summary.parquet"
    study = {"genotype_files": str(two["pattern"]), "chrom": "1", "variants": None, "covariates": two["covariates"]}
    write_common_samples_gwas(model, counts, samples, phenotypes, WHOLE | settings, out, summary, **study)
    return pd.read_parquet(out)


def test_common_samples_are_those_of_every_model_and_one_that_tests_just_these_stands(two):
    samples, counts = count(two)
    assert set(pd.read_parquet(samples)["iid"]) == set(pd.read_parquet(two["some"])["iid"])
    assert samples.parent.stat().st_mode & 0o777 == 0o700
    table = read_counts(counts)
    assert table["n_common_samples"].tolist() == [200, 200]
    assert table["n_samples"].tolist() == [300, 200]
    assert table["again"].tolist() == [True, False]


def test_samples_without_a_covariate_or_genotypes_are_not_equal(two):
    table = pd.read_parquet(two["covariates"]).sort_values("iid")
    table.iloc[:7, 1] = np.nan
    table.to_parquet(two["covariates"], index=False)
    strangers = pd.read_parquet(two["some"])
    strangers.loc[strangers.index[-3:], "iid"] = ["x1", "x2", "x3"]
    strangers.to_parquet(two["some"], index=False)
    table = read_counts(count(two)[1])
    assert table["n_samples"].tolist() == [293, 190]
    assert table["n_common_samples"].tolist() == [190, 190]


def test_the_gwas_again_is_the_gwas_of_those_samples_alone(two):
    samples, counts = count(two)
    left = samples.parent / ".a1b2.tmp.all.chr1"  # by a job that was killed
    left.mkdir()
    got = again(two, "all", two["phenotypes"], samples, counts)
    table = pd.read_parquet(two["phenotypes"])
    table[table["iid"].isin(pd.read_parquet(samples)["iid"])].to_parquet(two["folder"] / "part.parquet", index=False)
    paths = two["folder"] / "chr1.parquet", two["folder"] / "chr1.summary.parquet"
    write_gwas(str(two["pattern"]), "1", None, two["folder"] / "part.parquet", two["covariates"], WHOLE, *paths)
    expected = pd.read_parquet(paths[0])
    assert (got["n"] <= 200).all() and len(got) == len(expected)
    np.testing.assert_array_equal(got["log10p_manova"], expected["log10p_manova"])
    assert "log10p_acat" not in got
    kept = expected["log10p_E1"] >= 2
    assert kept.any() and (got["log10p_E1"].notna() == kept).all()
    assert [path.name for path in samples.parent.iterdir()] == ["samples.parquet"], "nothing that names samples is left"


def test_loci_of_a_feature_call_for_no_test_over_features(two):
    samples, counts = count(two)
    got = again(two, "all", two["phenotypes"], samples, counts, test="E1")
    assert not {"log10p_minp", "log10p_manova", "log10p_acat"} & set(got.columns)
    cohort = pd.read_parquet(two["phenotypes"])[["iid"]].assign(gwas_included=1)
    cohort.to_csv(two["folder"] / "cohort.tsv", sep="\t", index=False)
    settings = {"test": "E1", "p1": 1e-2, "p2": 1e-2, "r2": 0.1, "kb": 100, "feature_p": None, "genes": None}
    study = {"genotype_files": str(two["pattern"]), "cohort": two["folder"] / "cohort.tsv"}
    study |= {"gwas": {"1": two["folder"] / "all/chr1.parquet"}, "settings": settings | {"build": "GRCh37"}}
    write_common_samples_loci("all", counts, two["folder"] / "none.tsv", two["folder"] / "equal.tsv", **study)
    loci = pd.read_csv(two["folder"] / "equal.tsv", sep="\t")
    assert len(loci) and loci["log10p"].max() == pytest.approx(got["log10p_E1"].max(), abs=0.01)


def test_a_model_that_tests_just_these_samples_keeps_its_loci_to_the_byte(two):
    samples, counts = count(two)
    assert not len(again(two, "some", two["some"], samples, counts))
    own = two["folder"] / "loci.tsv"
    own.write_text("locus\tlead_id\tlog10p\n1\trs5\t8.10\n")
    write_common_samples_loci("some", counts, own, two["folder"] / "equal.tsv")
    assert (two["folder"] / "equal.tsv").read_bytes() == own.read_bytes()


def test_loci_again_are_those_of_the_gwas_again(two):
    samples, counts = count(two)
    again(two, "all", two["phenotypes"], samples, counts)
    cohort = pd.read_parquet(two["phenotypes"])[["iid"]].assign(gwas_included=1)
    cohort.to_csv(two["folder"] / "cohort.tsv", sep="\t", index=False)
    settings = {"test": "manova", "p1": 1e-3, "p2": 1e-2, "r2": 0.1, "kb": 100, "feature_p": None, "genes": None}
    study = {
        "genotype_files": str(two["pattern"]),
        "cohort": two["folder"] / "cohort.tsv",
        "settings": settings | {"build": "GRCh37"},
    }
    gwas = {"1": two["folder"] / "all/chr1.parquet"}
    write_common_samples_loci(
        "all", counts, two["folder"] / "none.tsv", two["folder"] / "equal.tsv", gwas=gwas, **study
    )
    loci = pd.read_csv(two["folder"] / "equal.tsv", sep="\t")
    assert len(loci) and (loci["n"] <= 200).all()


def test_too_few_samples_are_said_and_nothing_is_tested(two, caplog):
    few = pd.read_parquet(two["some"]).head(49)
    few.to_parquet(two["folder"] / "few.parquet", index=False)
    with caplog.at_level("WARNING"):
        samples, counts = count(two, few=two["folder"] / "few.parquet")
    assert "fewer than 50" in caplog.text
    table = read_counts(counts)
    assert not table["again"].any() and not table["same"].any()
    assert not len(again(two, "all", two["phenotypes"], samples, counts))
    write_common_samples_loci("all", counts, two["folder"] / "none.tsv", two["folder"] / "equal.tsv")
    assert len(pd.read_csv(two["folder"] / "equal.tsv", sep="\t")) == 0


def test_samples_are_too_few_for_many_covariates(two):
    table = pd.read_parquet(two["covariates"])
    noise = np.random.default_rng(0).normal(size=(len(table), 98))
    table = pd.concat([table, pd.DataFrame(noise, columns=[f"x{i}" for i in range(98)], index=table.index)], axis=1)
    table.to_parquet(two["covariates"], index=False)
    assert not read_counts(count(two)[1])[["same", "again"]].any(axis=None), "200 samples, 101 covariates"
    table.drop(columns="x0").to_parquet(two["covariates"], index=False)
    assert read_counts(count(two)[1])[["same", "again"]].any(axis=1).all()


def test_a_phenotype_that_does_not_vary_among_common_samples_has_no_p_there(two, caplog):
    """A disease without a case among them: an empty GWAS and no loci, by each kind of test."""
    table = pd.read_parquet(two["phenotypes"])[["iid"]]
    table["case"] = (~table["iid"].isin(pd.read_parquet(two["some"])["iid"])).astype(float)
    table.to_parquet(two["folder"] / "disease.parquet", index=False)
    samples, counts = count(two, disease=two["folder"] / "disease.parquet")
    cohort = table[["iid"]].assign(gwas_included=1)
    cohort.to_csv(two["folder"] / "cohort.tsv", sep="\t", index=False)
    settings = {"p1": 1e-3, "p2": 1e-2, "r2": 0.1, "kb": 100, "feature_p": None, "genes": None, "build": "GRCh37"}
    study = {"genotype_files": str(two["pattern"]), "cohort": two["folder"] / "cohort.tsv"}
    study |= {"gwas": {"1": two["folder"] / "disease/chr1.parquet"}}
    for test in ("manova", "case"):
        with caplog.at_level("WARNING"):
            got = again(two, "disease", two["folder"] / "disease.parquet", samples, counts, test=test)
        assert not len(got) and f"log10p_{test}" in got
        assert "disease cannot be tested at common samples" in caplog.text
        assert not has_p([two["folder"] / "disease/chr1.summary.parquet"], test)
        paths = two["folder"] / "none.tsv", two["folder"] / "equal.tsv"
        write_common_samples_loci("disease", counts, *paths, settings=settings | {"test": test}, **study)
        assert not len(pd.read_csv(two["folder"] / "equal.tsv", sep="\t"))
    again(two, "all", two["phenotypes"], samples, counts)
    summary = [two["folder"] / "all/chr1.summary.parquet"]
    assert has_p(summary, "manova") and not has_p(summary, "minp"), "only the test of the loci is made"


def test_manova_of_more_features_than_samples_has_no_p(two):
    few = pd.read_parquet(two["some"]).head(60)
    few.to_parquet(two["folder"] / "few.parquet", index=False)
    many = pd.read_parquet(two["phenotypes"])[["iid"]]
    many[[f"E{i}" for i in range(57)]] = np.random.default_rng(1).normal(size=(len(many), 57))
    for features, enough in ((57, False), (50, True)):
        many.iloc[:, : 1 + features].to_parquet(two["folder"] / "many.parquet", index=False)
        phenotypes = {"few": two["folder"] / "few.parquet", "many": two["folder"] / "many.parquet"}
        samples, counts = count(two, **phenotypes)
        assert read_counts(counts).loc["many", "again"]
        again(two, "many", phenotypes["many"], samples, counts)
        assert has_p([two["folder"] / "many/chr1.summary.parquet"], "manova") == enough


def loci(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["lead_id", "chrom", "pos", "effect_allele", "other_allele"][: len(rows[0])])


def test_the_same_locus_is_near_or_linked_and_on_the_same_chromosome():
    mine = loci(("a", "1", 100_000), ("b", "1", 900_000), ("c", "2", 100_000), ("d", "3", 1))
    theirs = loci(("x", "1", 250_000), ("y", "2", 5_000_000), ("z", "4", 1))
    r2 = np.zeros((4, 3))
    r2[2, 1], r2[1, 0] = 0.2, 0.1
    assert has(mine, theirs, r2, 150, 0.1).tolist() == [True, False, True, False]
    assert has(mine, theirs, r2, 149.999, 0.1).tolist() == [False, False, True, False]


def test_shared_and_private_loci_add_up_and_two_may_lie_near_one(tmp_path):
    study = write_study(tmp_path, *arrays(4, missing=0))
    bim = pd.read_csv(study["pattern"].with_suffix(".bim"), sep=r"\s+", header=None)
    bim[0] = bim[0].astype(str)
    place = {one[0]: one for one in bim[[1, 0, 3, 4, 5]].itertuples(index=False, name=None)}
    names = list(place)
    models = {
        "one": loci(place[names[0]], place[names[1]], place[names[-1]]),
        "two": loci(place[names[0]]),
        "three": loci(place[names[0]]).head(0),
    }
    apart = abs(place[names[0]][2] - place[names[1]][2]) / 1000
    samples = pd.Index(pd.read_parquet(study["phenotypes"])["iid"])
    table, counts = shared(models, str(study["pattern"]), samples, apart, 0.9)
    rows = table.set_index(["model", "other"])["shared"]
    assert rows["one", "two"] == 2 and rows["two", "one"] == 1 and rows["one", "three"] == 0
    assert counts.loc["one"].tolist() == [2, 1]
    assert counts.loc["two"].tolist() == [1, 0]
    assert counts.loc["three"].tolist() == [0, 0]
