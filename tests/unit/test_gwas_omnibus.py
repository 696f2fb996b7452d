"""Tests over features against their plain definitions."""

import mpmath
import numpy as np
import pytest

from contigwas.gwas.omnibus import acat, minp


def plain_acat(log10p):
    with mpmath.workdps(400):
        p = [min(mpmath.mpf(10) ** -mpmath.mpf(float(one)), 1 - mpmath.mpf(1e-12)) for one in log10p]
        total = sum(mpmath.cot(mpmath.pi * one) for one in p) / len(p)
        return float(-mpmath.log10(mpmath.atan2(1, total) / mpmath.pi))


def test_minp():
    log10p = np.array([[1.0, 3.0, 0.2], [0.1, 0.2, 0.3], [400.0, np.nan, 2.0], [np.nan] * 3])
    np.testing.assert_allclose(minp(log10p), [3 - np.log10(3), 0, 400 - np.log10(2), np.nan])


@pytest.mark.parametrize(
    "row",
    [
        [0.3, 0.3, 0.3],
        [0.01, 0.9, 2.5],
        [0.0, 1.0, 2.0],
        [7.999, 0.1],
        [8.001, 0.1],
        [12.5, 0.0],
        [3.0, 1e-13, 4e-13],
        [300.5, 2.0, 0.4],
        [350.0, 351.0, 0.0],
        [1e-9, 1e-9],
        [9.0, 9.0, 9.0],
        [0.4],
    ],
)
def test_acat(row):
    assert acat(np.array([row]))[0] == pytest.approx(plain_acat(row), rel=1e-6, abs=1e-12)


def test_acat_beyond_the_range_of_float64():
    # P of one feature of four: four times its p.
    assert acat(np.array([[5000.0, 1.0, 0.2, 0.3]]))[0] == pytest.approx(5000 - np.log10(4), abs=1e-9)


def test_features_without_a_p_do_not_count():
    full, partial = np.array([[1.0, 2.0]]), np.array([[1.0, np.nan, 2.0]])
    np.testing.assert_allclose(acat(partial), acat(full))
    np.testing.assert_allclose(minp(partial), minp(full))
    assert np.isnan(acat(np.array([[np.nan, np.nan]])))[0]


def test_one_feature_is_its_own_test():
    log10p = np.array([[0.5], [3.0], [20.0], [2000.0]])
    np.testing.assert_allclose(acat(log10p), log10p[:, 0], rtol=1e-9)
    np.testing.assert_allclose(minp(log10p), log10p[:, 0])
