"""Single variants against statsmodels: OLS for every feature, MANOVA (Wilks) for all of them together."""

import numpy as np
import pytest
import torch
from scipy import stats
from statsmodels.api import OLS
from statsmodels.multivariate.multivariate_ols import _MultivariateOLS

from contigwas.gwas.design import design
from contigwas.gwas.engine import Kernel
from contigwas.gwas.pvalues import log10p_f, log10p_t
from tests.gwas_files import arrays, associate


def wilks(dosage, covariates, values):
    """F, its degrees of freedom and p of the variant in statsmodels' MANOVA, among the samples called."""
    called = dosage >= 0
    exog = np.column_stack([np.ones(called.sum()), covariates[called], dosage[called]])
    hypothesis = np.eye(exog.shape[1])[-1:]
    test = _MultivariateOLS(values[called], exog).fit().mv_test([("variant", hypothesis)])
    row = test.results["variant"]["stat"].loc["Wilks' lambda"]
    return float(row["F Value"]), float(row["Num DF"]), float(row["Den DF"]), float(row["Pr > F"]), float(row["Value"])


@pytest.mark.parametrize(("samples", "missing"), [(120, 0.0), (120, 0.05), (379, 0.03), (1200, 0.005)])
def test_ols_and_manova(samples, missing):
    dosages, covariates, values = arrays(31, samples=samples, variants=14, features=5, covariates=6, missing=missing)
    titles = [f"E{k}" for k in range(5)]
    setup = design(covariates, list("abcdef"), values, titles).joint
    exact = associate(Kernel(setup, joint=True, dtype=torch.float64), dosages)
    shipped = associate(Kernel(setup, joint=True), dosages)
    log10p = log10p_t(exact.r2, exact.df[:, None])
    joint = log10p_f(exact.joint_r2, 5, exact.df - 4)
    for row in range(14):
        called = dosages[:, row] >= 0
        exog = np.column_stack([np.ones(called.sum()), covariates[called], dosages[called, row]])
        for k in range(5):
            fit = OLS(values[called, k], exog).fit()
            assert (exact.n[row], exact.df[row]) == (fit.nobs, fit.df_resid)
            t, se = fit.tvalues[-1], fit.bse[-1]
            assert exact.se[row, k] == pytest.approx(se, rel=1e-9)
            assert abs(exact.beta[row, k] - fit.params[-1]) < 1e-9 * se
            assert abs(shipped.beta[row, k] - fit.params[-1]) / se <= 1e-5 + 1e-5 * abs(t)
            assert abs(shipped.beta[row, k] / shipped.se[row, k] - t) <= 1e-5 + 1e-5 * abs(t)
            expected = -(stats.t.logsf(abs(t), fit.df_resid) + np.log(2)) / np.log(10)
            assert log10p[row, k] == pytest.approx(expected, rel=3e-5, abs=1e-9)
        f, one, two, p, value = wilks(dosages[:, row], covariates, values)
        assert (one, two) == (5, exact.df[row] - 4)
        assert 1 - exact.joint_r2[row] == pytest.approx(value, rel=1e-10)
        assert exact.joint_r2[row] / 5 / ((1 - exact.joint_r2[row]) / two) == pytest.approx(f, rel=1e-8)
        assert joint[row] == pytest.approx(-np.log10(p), rel=1e-7)
        assert shipped.joint_r2[row] == pytest.approx(exact.joint_r2[row], rel=1e-4, abs=1e-7)
