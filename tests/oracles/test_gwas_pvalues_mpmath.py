"""P-values against mpmath with 60 digits, far past where float64 underflows."""

import mpmath
import numpy as np
import pytest

from contigwas.gwas.pvalues import log10p_f, log10p_t

mpmath.mp.dps = 60


def exact_beta(r2, a, b):
    """-log10 of I_{1-r2}(a, b)."""
    p = mpmath.betainc(a, b, 0, 1 - mpmath.mpf(float(r2)), regularized=True)
    return float(-mpmath.log10(p))


@pytest.mark.parametrize(
    ("df", "bound"), [(1, 1e-12), (3, 1e-12), (20, 1e-12), (99, 1e-12), (100, 3e-5), (500, 1e-6), (5000, 3.1e-9)]
)
def test_t(df, bound):
    t = np.array([0.1, 0.5, 1, 2, 3, 5, 8, 12, 20, 40, 80, 140, 200])
    r2 = t**2 / (df + t**2)
    exact = np.array([exact_beta(one, df / 2, 0.5) for one in r2])
    assert np.abs(log10p_t(r2, df) / exact - 1).max() <= bound


def test_t_that_underflows():
    r2 = np.array([1 - 1e-9, 1 - 1e-13])
    for df in (60, 99):
        exact = np.array([exact_beta(one, df / 2, 0.5) for one in r2])
        assert exact.max() > 320
        np.testing.assert_allclose(log10p_t(r2, df), exact, rtol=1e-12)
    assert log10p_t(np.array([0.99]), np.array([400_000]))[0] == pytest.approx(exact_beta(0.99, 200_000, 0.5), rel=3e-9)


@pytest.mark.parametrize(("features", "left"), [(1, 50), (2, 1), (7, 30), (10, 3000), (128, 700), (128, 400_000)])
def test_f(features, left):
    r2 = np.array([1e-4, 0.01, 0.1, 0.3, 0.6, 0.9, 0.99, 1 - 1e-10])
    exact = np.array([exact_beta(one, left / 2, features / 2) for one in r2])
    ours = log10p_f(r2, features, left)
    np.testing.assert_allclose(ours, exact, rtol=1e-9, atol=1e-14)
