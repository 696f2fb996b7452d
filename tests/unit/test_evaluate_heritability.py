"""Variance that lead variants explain, against statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from contigwas.evaluate.heritability import explained, fit
from tests.gwas_files import arrays, write_study

SETTINGS = {"missing": "exact", "build": "GRCh37"}


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
    got = explained(loci, str(study["pattern"]), study["phenotypes"], study["covariates"], SETTINGS)
    genotypes = np.where(dosages < 0, np.nan, dosages.astype(float))[:, chosen]
    genotypes = np.where(np.isnan(genotypes), np.nanmean(genotypes, axis=0), genotypes)
    for number, row in got.iterrows():
        known = ~np.isnan(values[:, number])
        null = sm.OLS(values[known, number], sm.add_constant(design[known])).fit()
        full = sm.OLS(values[known, number], sm.add_constant(np.column_stack([design, genotypes])[known])).fit()
        assert row["people"] == known.sum() and row["leads"] == 4
        assert row["r2"] == pytest.approx(1 - full.ssr / null.ssr)
        assert row["adjusted_r2"] == pytest.approx(1 - full.mse_resid / null.mse_resid)
    assert got["r2"].max() > 0.01, "there is something to explain"


def test_a_lead_twice_counts_once_and_noise_adds_nothing_on_average():
    rng = np.random.default_rng(0)
    covariates, lead = rng.normal(size=(400, 2)), rng.integers(0, 3, 400).astype(float)
    values = lead + rng.normal(size=400)
    once, twice = (fit(values, covariates, np.column_stack(columns)) for columns in ([lead], [lead, 2 * lead]))
    assert twice["leads"] == 1
    assert twice["r2"] == pytest.approx(once["r2"])
    noise = [fit(rng.normal(size=60), covariates[:60], rng.integers(0, 3, (60, 10)).astype(float)) for _ in range(300)]
    assert np.mean([one["adjusted_r2"] for one in noise]) == pytest.approx(0, abs=0.03)
    assert np.mean([one["r2"] for one in noise]) > 0.1


def test_no_lead_no_row_and_no_degree_of_freedom_no_number(tmp_path):
    empty = explained(pd.DataFrame(columns=["lead_id", "chrom", "pos"]), "", "", "", SETTINGS)
    assert not len(empty)
    rng = np.random.default_rng(1)
    got = fit(rng.normal(size=8), rng.normal(size=(8, 2)), rng.normal(size=(8, 6)))
    assert np.isnan(got["adjusted_r2"])
