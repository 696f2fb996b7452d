"""Sensitivity analyses of lead variants: heteroscedasticity, sex, offsets, and results that do not agree."""

import logging

import numpy as np
import pandas as pd
import pytest

from contigwas.followup import COLUMNS, write_followup
from contigwas.followup.fits import fit_joint, fit_one
from contigwas.gwas.gwas import write_gwas
from contigwas.gwas.sex import sexes
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table
from tests.gwas_files import SETTINGS as GWAS
from tests.gwas_files import arrays, least_squares, write_study
from tests.plink_files import iids, write_plink

SETTINGS = {"features": 20, "p1": 1e-3, "missing": "exact", "build": "GRCh37"}
LEAD = {"locus": 1, "chrom": "1", "effect_allele": "A", "other_allele": "G"}


def populations(seed, variance, samples=600, variants=400, features=4):
    """-log10 p by MANOVA and by its robust form, (variants, 2), of variants without any effect.

    A quarter of the samples are of another population, with other allele frequencies, means and variance of the
    features; the covariates tell the populations apart.
    """
    rng = np.random.default_rng(seed)
    other = np.arange(samples) < samples // 4
    basis = np.column_stack([np.ones(samples), other, rng.normal(size=(samples, 2))])
    values = rng.normal(size=(samples, features)) @ (np.eye(features) + 0.4)
    values = values * np.where(other, np.sqrt(variance), 1.0)[:, None] + other[:, None]
    dosages = rng.binomial(2, np.where(other, 0.5, 0.08)[:, None], (samples, variants)).astype(float)
    found = [fit_joint(values, dosage, basis) for dosage in dosages.T]
    return np.array([(one.classical, one.robust) for one in found])


def test_features_whose_variance_differs_between_populations():
    # 400 tests: at 5 % a calibrated test rejects 20, SD 4.4.
    classical, robust = (populations(51, variance=5.0) > -np.log10(0.05)).sum(axis=0)
    assert classical > 80
    assert robust < 38
    classical, robust = (populations(52, variance=1.0) > -np.log10(0.05)).sum(axis=0)
    assert classical < 34
    assert robust < 38


def test_an_effect_is_found_by_both_forms():
    rng = np.random.default_rng(53)
    dosage = rng.binomial(2, 0.3, 2000).astype(float)
    values = rng.normal(size=(2000, 3)) + dosage[:, None] * [0.0, 0.4, 0.0]
    found = fit_joint(values, dosage, np.ones((2000, 1)))
    assert found.classical > 20
    assert found.robust == pytest.approx(found.classical, rel=0.1)


def test_joint_p_values_beyond_float64():
    rng = np.random.default_rng(54)
    dosage = rng.binomial(2, 0.4, 5000).astype(float)
    values = rng.normal(size=(5000, 2)) * 0.1 + dosage[:, None]
    joint = fit_joint(values, dosage, np.ones((5000, 1)))
    classical, robust = fit_one(values[:, 0], dosage, np.ones((5000, 1)))
    for value in (joint.classical, joint.robust, classical.log10p, robust.log10p):
        assert 1000 < value < np.inf


def test_dependent_features_span_fewer_dimensions():
    rng = np.random.default_rng(55)
    dosage, values = rng.binomial(2, 0.4, 300).astype(float), rng.normal(size=(300, 3))
    twice = np.column_stack([values, values[:, 0] * 3 - values[:, 1], np.full(300, 7.0)])
    plain, spanned = (fit_joint(one, dosage, np.ones((300, 1))) for one in (values, twice))
    assert (plain.span, spanned.span) == (3, 3)
    assert spanned.robust == pytest.approx(plain.robust, rel=1e-8)
    assert spanned.classical == pytest.approx(plain.classical, rel=1e-8)


@pytest.mark.parametrize(
    ("dosage", "samples"),
    [(np.ones(40), 40), (np.array([0.0, 1, 2]), 3), (np.arange(40) % 2 + 1e-3, 40)],
    ids=["does not vary", "too few samples", "is a covariate"],
)
def test_fits_that_are_impossible_are_missing(dosage, samples):
    rng = np.random.default_rng(56)
    basis = np.column_stack([np.ones(samples), np.arange(samples) % 2, rng.normal(size=samples)])
    for found in fit_one(rng.normal(size=samples), dosage, basis):
        assert np.isnan([found.beta, found.se, found.log10p]).all()
    joint = fit_joint(rng.normal(size=(samples, 2)), dosage, basis)
    assert np.isnan([joint.classical, joint.robust]).all()


def test_leverage_of_one_gives_no_robust_error():
    rng = np.random.default_rng(57)
    dosage = rng.binomial(2, 0.4, 50).astype(float)
    alone = np.zeros(50)
    alone[3] = 1
    found = fit_joint(rng.normal(size=(50, 2)), dosage, np.column_stack([np.ones(50), alone]))
    assert np.isnan(found.robust)
    assert found.classical >= 0


@pytest.mark.parametrize(
    ("genotyped", "columns", "expected"),
    [
        ([1, 2, 0, 1], {"sex": [2, 2, 1, 1]}, [1, 2, 0, 1]),
        ([0, 0, 0, 0], {"age": [5, 6, 7, 8], "sex": [1, 2, 2, 1]}, [1, 2, 2, 1]),
        ([0, 0, 0, 0], {"Sex": [0, 1, 1, 0]}, [2, 1, 1, 2]),
        ([0, 0, 0, 0], {"sex=M": [0, 1, 1, 0]}, [2, 1, 1, 2]),
        ([0, 0, 0, 0], {"sex=male": [0, 1, 1, 0]}, [2, 1, 1, 2]),
        ([0, 0, 0, 0], {"factor(sex)=2": [0, 1, 1, 0]}, [1, 2, 2, 1]),
        ([0, 0, 0, 0], {"factor(sex)=1": [0, 1, 1, 0]}, [2, 1, 1, 2]),
        ([0, 0, 0, 0], {"sex": [0, 1, 2, 0]}, [0, 0, 0, 0]),
        ([0, 0, 0, 0], {"age": [1, 2, 2, 1], "sex_site": [1, 2, 2, 1]}, [0, 0, 0, 0]),
    ],
)
def test_sources_of_sex(genotyped, columns, expected, caplog):
    found = sexes(np.array(genotyped), pd.DataFrame(columns, dtype=float))
    assert found.tolist() == expected
    assert ("the sex of all samples is unknown" in caplog.text) == (not any(expected))


@pytest.fixture
def study(tmp_path):
    """Files of 300 samples with a GWAS table that holds the ground truth of four variants, and loci at two of them."""
    dosages, design, values = arrays(58, variants=4)
    paths = write_study(tmp_path, dosages, design, values)
    table = pd.DataFrame({"pos": [1000, 2000, 3000, 4000], "id": [f"rs1_{k}" for k in range(4)]})
    table = table.assign(effect_allele="A", other_allele="G", n=300)
    exact = [least_squares(dosages[:, k], design, values) for k in range(4)]
    for kind in ("beta", "se"):
        for k in range(4):
            table[f"{kind}_E{k + 1}"] = [one[kind][k] for one in exact]
    table.to_parquet(tmp_path / "chr1.parquet", index=False)
    loci = [
        LEAD | {"lead_id": "rs1_1", "pos": 2000, "best_feature": "E2", "features": "E2,E1,E4"},
        LEAD | {"locus": 2, "lead_id": "rs1_3", "pos": 4000, "best_feature": "E4", "features": ""},
    ]
    write_tsv(pd.DataFrame(loci), tmp_path / "loci.tsv")
    return tmp_path, paths


def run(study, **settings):
    folder, paths = study
    tables = (paths["phenotypes"], paths["covariates"])
    gwas = {"1": folder / "chr1.parquet"}
    output = folder / "followup.tsv"
    write_followup(folder / "loci.tsv", gwas, str(paths["pattern"]), *tables, SETTINGS | settings, output)
    return read_table(output)


def change(path, **columns):
    read, write = (pd.read_parquet, pd.DataFrame.to_parquet) if path.suffix == ".parquet" else (read_table, None)
    table = read(path).assign(**columns)
    write(table, path, index=False) if write else write_tsv(table, path)


def test_a_row_for_every_fit_of_every_feature(study, caplog):
    caplog.set_level(logging.INFO)
    table = run(study)
    assert table.columns.tolist() == COLUMNS
    fits = ["ols", "hc3", "males", "females", "sex_difference"]
    assert table.loc[table["locus"] == 1, "feature"].tolist() == ["E2"] * 5 + ["E1"] * 5 + ["E4"] * 5 + ["", ""]
    assert table.loc[table["locus"] == 2, "fit"].tolist() == [*fits, "manova", "manova_hc3"]
    assert (table.loc[table["fit"] == "ols", "agrees"] == 1).all()
    assert "2 loci, 24 rows" in caplog.text
    assert "differ from the GWAS" not in caplog.text
    sizes = table[table["feature"] == "E2"].set_index("fit")["n"]
    assert sizes["males"] + sizes["females"] == sizes["ols"] == sizes["sex_difference"]


def test_only_the_strongest_features(study):
    table = run(study, features=2)
    assert [name for name in table["feature"].unique() if name] == ["E2", "E1", "E4"]
    assert table.loc[table["locus"] == 1, "feature"].unique().tolist() == ["E2", "E1", ""]


@pytest.mark.parametrize(("kind", "share"), [("beta", 0.001), ("se", 1.001)])
def test_disagreement_with_the_gwas(study, kind, share, caplog):
    path = study[0] / "chr1.parquet"
    before = pd.read_parquet(path)
    shift = before["se_E2"] * share if kind == "beta" else before["se_E2"] * (share - 1)
    change(path, **{f"{kind}_E2": before[f"{kind}_E2"] + shift})
    table = run(study)
    row = table[(table["feature"] == "E2") & (table["fit"] == "ols")].iloc[0]
    assert row["agrees"] == 0
    assert row["difference"] == pytest.approx(-0.001 if kind == "beta" else 0.0, abs=1e-8)
    assert "1 refits of a feature differ from the GWAS" in caplog.text


def test_means_in_place_of_missing_calls_are_not_compared(study):
    table = run(study, missing="mean")
    assert table.loc[table["fit"] == "ols", ["difference", "agrees"]].isna().all(None)


def test_without_sexes_there_are_no_fits_by_sex(study, caplog):
    fam = study[1]["pattern"].with_suffix(".fam")
    samples = pd.read_csv(fam, sep=r"\s+", header=None, dtype=str)
    samples[4] = "0"
    samples.to_csv(fam, sep=" ", header=False, index=False)
    assert set(run(study)["fit"]) == {"ols", "hc3", "manova", "manova_hc3"}
    assert "the sex of all samples is unknown" in caplog.text


def test_chromosome_x_as_the_gwas_takes_it(tmp_path):
    # Males count 0 or 2, their heterozygous calls are missing, as are samples of unknown sex; sex is a covariate.
    dosages, design, values = arrays(59, variants=5, missing=0.02)
    names = iids(300)
    sex = np.where(np.arange(300) < 10, 0, 1 + np.arange(300) % 2)
    values[:, 0] += 2.0 * (sex == 1)
    paths = write_study(tmp_path, dosages, design, values)
    positions = [5_000_000 + 1000 * k for k in range(4)] + [100]  # the last is pseudo-autosomal
    write_plink(paths["pattern"], dosages, names, "X", sex=sex.tolist(), bp_position=positions)
    gwas = tmp_path / "chrX.parquet"
    tables = (paths["phenotypes"], paths["covariates"])
    options = GWAS | {"build": "GRCh37"}
    write_gwas(paths["pattern"], "X", None, *tables, options, gwas, tmp_path / "summary.parquet")
    features = ",".join(f"E{k}" for k in range(1, 5))
    leads = [
        LEAD | {"locus": k, "chrom": "X", "lead_id": f"rsX_{k}", "pos": positions[k], "best_feature": "E1"}
        for k in (0, 4)
    ]
    write_tsv(pd.DataFrame(leads).assign(features=features), tmp_path / "loci.tsv")
    output = tmp_path / "followup.tsv"
    write_followup(tmp_path / "loci.tsv", {"X": gwas}, str(paths["pattern"]), *tables, SETTINGS, output)
    table = read_table(output)
    refits = table[table["fit"] == "ols"]
    assert len(refits) == 8
    assert (refits["agrees"] == 1).all()
    called = dosages[:, [0, 4]] >= 0
    called[:, 0] &= (sex != 0) & ~((sex == 1) & (dosages[:, 0] == 1))
    assert refits["n"].tolist() == [called[:, 0].sum()] * 4 + [called[:, 1].sum()] * 4
    males = table[(table["locus"] == 0) & (table["feature"] == "E1") & (table["fit"] == "males")].iloc[0]
    exact = least_squares(np.where(called[:, 0], dosages[:, 0], -127)[sex == 1], design[sex == 1], values[sex == 1])
    assert (males["n"], males["beta"]) == (exact["n"], pytest.approx(exact["beta"][0], rel=1e-8))


def test_no_locus_is_a_header_only(study):
    folder, _ = study
    write_tsv(read_table(folder / "loci.tsv").iloc[:0], folder / "loci.tsv")
    table = run(study)
    assert table.columns.tolist() == COLUMNS
    assert table.empty


def test_a_feature_of_another_study(study):
    change(study[0] / "loci.tsv", features=["E2,B7", ""])
    with pytest.raises(UserError, match="phenotypes.parquet: no feature B7, which the loci name"):
        run(study)
    assert not (study[0] / "followup.tsv").exists()


def test_loci_of_another_gwas(study):
    change(study[0] / "chr1.parquet", other_allele="T")
    with pytest.raises(UserError, match="2 of 2 lead variants are missing. Run the stage loci again"):
        run(study)
