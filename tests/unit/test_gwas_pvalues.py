"""P-values: edge cases."""

import numpy as np
from scipy import stats

from contigwas.gwas.pvalues import log10p_beta, log10p_f, log10p_t


def test_a_perfect_fit_is_large_and_finite():
    for df in (5, 99, 100, 10_000):
        assert np.isfinite(log10p_t(np.array([1.0]), np.array([df])))[0]
        assert log10p_t(np.array([1.0]), df)[0] > log10p_t(np.array([0.999]), df)[0]
    assert np.isfinite(log10p_f(np.array([1.0]), 10, 5000))[0]


def test_no_effect_is_zero_and_nan_stays():
    np.testing.assert_allclose(log10p_t(np.array([0.0, np.nan]), np.array([50, 50])), [0, np.nan])
    np.testing.assert_allclose(log10p_t(np.array([0.0, np.nan]), np.array([500, 500])), [0, np.nan], atol=1e-12)
    assert np.isnan(log10p_t(np.array([0.5]), np.array([0])))[0]
    assert np.isnan(log10p_f(np.array([0.5, 0.5]), np.array([3, 0]), np.array([0, 5]))).all()


def test_agrees_with_scipy():
    t, df = np.array([[0.3, 2.0, 9.0]]), np.array([[8], [120], [4000]])
    expected = -(stats.t.logsf(t, df) + np.log(2)) / np.log(10)
    np.testing.assert_allclose(log10p_t(t**2 / (df + t**2), df), expected, rtol=3e-5)
    f = np.array([0.5, 3.0, 40.0])
    np.testing.assert_allclose(
        log10p_f(10 * f / (10 * f + 900), 10, 900), -np.log10(stats.f.sf(f, 10, 900)), rtol=1e-10
    )


def test_both_approximations_agree_at_the_boundary():
    # Around the switch to the continued fraction the slope is smooth.
    r2 = np.linspace(0.2764, 0.2844, 801)
    values = log10p_beta(r2, 2000.0, 5.0)
    assert values.min() < 279
    assert values.max() > 281
    assert np.abs(np.diff(values, 2)).max() < 1e-4
    assert (np.diff(values) > 0).all()


def test_larger_effects_have_smaller_p():
    r2 = 1 - np.logspace(-12, -1e-6, 500)[::-1]
    for df in (30, 99, 100, 3000):
        assert (np.diff(log10p_t(r2, df)) > 0).all()
