"""Variance that lead variants explain, against statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from contigwas.evaluate import heritability
from contigwas.evaluate.heritability import explained, fit
from tests.gwas_files import arrays, write_study

BUILD = "GRCh37"


def test_joint_variance_is_that_of_two_nested_regressions(tmp_path):
    dosages, design, values = arrays(5, missing=0.05)
    values[:40, 1] = np.nan
    study = write_study(tmp_path, dosages, design, values)
    bim = pd.read_csv(study["pattern"].with_suffix(".bim"), sep=r"\s+", header=None, dtype=str)
    chosen = [0, 1, 2, 7]
    loci = bim.loc[chosen, [0, 1, 3, 4, 5]].set_axis(
        ["chrom", "lead_id", "pos", "effect_allele", "other_allele"], axis=1
    )
    loci["pos"] = loci["pos"].astype(int)
    got = explained(loci, str(study["pattern"]), study["phenotypes"], study["covariates"], BUILD)
    genotypes = np.where(dosages < 0, np.nan, dosages.astype(float))[:, chosen]
    genotypes = np.where(np.isnan(genotypes), np.nanmean(genotypes, axis=0), genotypes)
    for number, row in got.iterrows():
        known = ~np.isnan(values[:, number])
        null = sm.OLS(values[known, number], sm.add_constant(design[known])).fit()
        full = sm.OLS(values[known, number], sm.add_constant(np.column_stack([design, genotypes])[known])).fit()
        assert row["n_samples"] == known.sum() and row["leads"] == 4
        assert row["r2"] == pytest.approx(1 - full.ssr / null.ssr)
        assert row["adjusted_r2"] == pytest.approx(1 - full.mse_resid / null.mse_resid)
    assert got["r2"].max() > 0.01, "there is something to explain"


def one(values, covariates, dosages):
    """Of one feature."""
    return fit(values[:, None], covariates, dosages).iloc[0]


def test_a_lead_twice_counts_once_and_noise_adds_nothing_on_average():
    rng = np.random.default_rng(0)
    covariates, lead = rng.normal(size=(400, 2)), rng.integers(0, 3, 400).astype(float)
    values = lead + rng.normal(size=400)
    once, twice = (one(values, covariates, np.column_stack(columns)) for columns in ([lead], [lead, 2 * lead]))
    assert twice["leads"] == 1
    assert twice["r2"] == pytest.approx(once["r2"])
    noise = [one(rng.normal(size=60), covariates[:60], rng.integers(0, 3, (60, 10)).astype(float)) for _ in range(300)]
    assert np.mean([row["adjusted_r2"] for row in noise]) == pytest.approx(0, abs=0.03)
    assert np.mean([row["r2"] for row in noise]) > 0.1


def test_no_lead_no_row_and_no_degree_of_freedom_no_number(tmp_path):
    empty = explained(pd.DataFrame(columns=["lead_id", "chrom", "pos"]), "", "", "", BUILD)
    assert not len(empty)
    rng = np.random.default_rng(1)
    got = one(rng.normal(size=8), rng.normal(size=(8, 2)), rng.normal(size=(8, 6)))
    assert np.isnan(got["adjusted_r2"])


def test_all_features_of_the_same_samples_share_one_factorisation(tmp_path, monkeypatch):
    dosages, design, values = arrays(5, features=6)
    values[:40, 1] = values[:40, 4] = np.nan
    values[:, 5] = np.nan
    study = write_study(tmp_path, dosages, design, values)
    bim = pd.read_csv(study["pattern"].with_suffix(".bim"), sep=r"\s+", header=None, dtype=str)
    loci = bim[[0, 1, 3, 4, 5]].set_axis(["chrom", "lead_id", "pos", "effect_allele", "other_allele"], axis=1).head(9)
    seen, true = [], heritability._directions
    monkeypatch.setattr(heritability, "_directions", lambda products: seen.append(products.shape) or true(products))
    got = explained(loci.astype({"pos": int}), str(study["pattern"]), study["phenotypes"], study["covariates"], BUILD)
    assert seen == [(9, 9)] * 2, "one for those who have all, one for those who have features 2 and 5"
    assert got["feature"].tolist() == [f"E{place}" for place in range(1, 7)]
    assert got["n_samples"].tolist() == [300, 260, 300, 300, 260, 0]
    assert got["r2"].notna().tolist() == [True] * 5 + [False]


def test_leads_of_rare_and_of_common_effect_alleles_in_many_blocks_of_samples(monkeypatch):
    """Counted from the other allele, or in blocks of any size, leads explain as much; nearly the same leads are two."""
    rng = np.random.default_rng(4)
    samples = 500
    dosages = rng.binomial(2, [0.002, 0.01, 0.3, 0.5], (samples, 4)).astype(np.float32)
    dosages[:3, 0] = 1
    dosages = np.column_stack([dosages, dosages[:, 3] + 1e-3 * rng.normal(size=samples)]).astype(np.float32)
    values, covariates = (
        dosages @ rng.normal(size=(5, 3)) + rng.normal(size=(samples, 3)),
        rng.normal(size=(samples, 2)),
    )
    got = fit(values, covariates, dosages)
    assert (got["leads"] == 5).all()
    for column in range(3):
        null = sm.OLS(values[:, column], sm.add_constant(covariates)).fit()
        full = sm.OLS(values[:, column], sm.add_constant(np.column_stack([covariates, dosages]))).fit()
        assert got.loc[column, "r2"] == pytest.approx(1 - full.ssr / null.ssr, rel=1e-6)
    monkeypatch.setattr(heritability, "SAMPLES", 7)
    for again in (fit(values, covariates, dosages), fit(values, covariates, 2 - dosages)):
        np.testing.assert_allclose(again.to_numpy(float), got.to_numpy(float), rtol=1e-6)


def test_a_lead_that_the_covariates_tell_is_none():
    rng = np.random.default_rng(6)
    lead, values = rng.integers(0, 3, (100, 2)).astype(np.float32), rng.normal(size=(100, 2))
    got = fit(values, np.column_stack([lead[:, 0], rng.normal(size=100)]), lead)
    assert (got["leads"] == 1).all() and got["r2"].notna().all()
