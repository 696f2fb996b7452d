"""The kernel against least squares, one variant at a time."""

import numpy as np
import pytest
import torch

from contigwas.gwas.design import design
from contigwas.gwas.engine import FLAGS, Kernel
from tests.gwas_files import arrays, associate, least_squares


def setup_of(covariates, values):
    names = [f"c{k}" for k in range(covariates.shape[1])]
    return design(covariates, names, values, [f"E{k}" for k in range(values.shape[1])]).setups[0]


def kernel(covariates, values, **options):
    return Kernel(setup_of(covariates, values), **{"joint": True, "dtype": torch.float64, **options})


def compare(result, dosages, covariates, values, rtol):
    tested = np.flatnonzero(result.flag == 0)
    for row in tested:
        exact = least_squares(dosages[:, row], covariates, values)
        assert (result.n[row], result.df[row]) == (exact["n"], exact["df"])
        np.testing.assert_allclose(result.se[row], exact["se"], rtol=rtol)
        assert np.abs((result.beta[row] - exact["beta"]) / exact["se"]).max() <= rtol * 10
        t, theirs = result.beta[row] / result.se[row], exact["beta"] / exact["se"]
        assert (np.abs(t - theirs) <= 10 * rtol * (1 + np.abs(theirs))).all()
        assert result.joint_r2[row] == pytest.approx(exact["joint_r2"], rel=100 * rtol, abs=rtol)
    return tested


@pytest.mark.parametrize("missing", [0.0, 0.002, 0.05, 0.6])
def test_float64_is_exact(missing):
    dosages, covariates, values = arrays(1, missing=missing)
    result = associate(kernel(covariates, values), dosages)
    assert len(compare(result, dosages, covariates, values, 1e-11)) == 40


@pytest.mark.parametrize("missing", [0.0, 0.03])
def test_float32_products_are_precise_enough(missing):
    dosages, covariates, values = arrays(2, samples=1500, missing=missing)
    result = associate(kernel(covariates, values, dtype=torch.float32), dosages)
    assert len(compare(result, dosages, covariates, values, 1e-6)) == 40


def test_without_covariates_and_with_one_feature():
    dosages, _, values = arrays(3)
    nothing = np.empty((300, 0))
    result = associate(kernel(nothing, values[:, :1]), dosages)
    compare(result, dosages, nothing, values[:, :1], 1e-11)
    np.testing.assert_allclose(result.joint_r2, result.r2[:, 0], rtol=1e-11)


def test_variants_close_to_the_covariates_are_recomputed_in_float64():
    dosages, covariates, values = arrays(4, samples=2000, missing=0.02)
    rng = np.random.default_rng(5)
    covariates[:, 0] = np.where(dosages[:, 7] < 0, 1, dosages[:, 7]) + rng.normal(size=2000) * 0.15
    values[:, 0] = np.where(dosages[:, 9] < 0, 1, dosages[:, 9]) + rng.normal(size=2000) * 0.03
    result = associate(kernel(covariates, values, dtype=torch.float32), dosages)
    assert result.r2[9, 0] > 0.99
    for row in (7, 9):
        exact = least_squares(dosages[:, row], covariates, values)
        np.testing.assert_allclose(result.beta[row] / result.se[row], exact["beta"] / exact["se"], rtol=1e-9, atol=1e-9)


def test_flags_in_their_order():
    dosages, covariates, values = arrays(6, missing=0.01)
    dosages[:, 0] = 1
    dosages[:, 1] = -127
    dosages[:, 2] = 0
    dosages[:3, 2] = 1  # three alleles
    dosages[:, 3] = -127
    dosages[:5, 3] = [0, 1, 2, 1, 0]  # as many samples as coefficients
    covariates[:, 0] = dosages[:, 4]
    dosages[:, 5] = np.where(np.arange(300) < 280, 2, 0)
    dosages[280:, 5] = -127  # one genotype among the called
    covariates[:, 1] = np.arange(300) >= 290
    dosages[:, 6] = np.where(np.arange(300) < 290, dosages[:, 6], -127)  # the second covariate is constant where called
    result = associate(kernel(covariates, values, min_ac=4), dosages)
    names = FLAGS[result.flag]
    assert names[:7].tolist() == [
        *("MONOMORPHIC", "MONOMORPHIC", "TOO_FEW", "TOO_FEW", "COLLINEAR", "MONOMORPHIC", "COLLINEAR")
    ]
    assert (names[7:] == "").all()
    for array in (result.beta, result.se, result.r2, result.joint_r2[:, None]):
        assert np.isnan(array[:7]).all()
        assert np.isfinite(array[7:]).all()


def test_variance_inflation_of_fifty():
    rng = np.random.default_rng(7)
    dosages = rng.binomial(2, 0.4, (5000, 2)).astype(np.int8)
    covariates = dosages + rng.normal(size=(5000, 2)) * np.sqrt(0.48) * [0.13, 0.16]
    result = associate(kernel(covariates[:, :1], rng.normal(size=(5000, 2)), dtype=torch.float32), dosages[:, :1])
    assert FLAGS[result.flag].tolist() == ["COLLINEAR"]
    result = associate(kernel(covariates[:, 1:], rng.normal(size=(5000, 2)), dtype=torch.float32), dosages[:, 1:])
    assert FLAGS[result.flag].tolist() == [""]


def test_a_feature_that_is_constant_among_the_called():
    dosages, covariates, values = arrays(8, missing=0.0)
    values[:, 1] = 0
    values[:6, 1] = np.arange(6)
    dosages[:6, 20] = -127
    result = associate(kernel(covariates[:, :0], values), dosages)
    assert np.isnan(result.r2[20]).tolist() == [False, True, False, False]
    assert np.isnan(result.joint_r2[20])
    assert np.isfinite(result.joint_r2[21])


def test_a_perfect_fit():
    dosages, covariates, values = arrays(9)
    values[:, 2] = 5 * dosages[:, 11].astype(float) - 3
    for dtype in (torch.float32, torch.float64):
        result = associate(kernel(covariates, values, dtype=dtype), dosages)
        assert result.beta[11, 2] == pytest.approx(5, rel=1e-6)
        assert result.se[11, 2] < 1e-5
        assert 1 - 1e-12 < result.r2[11, 2] <= 1
        assert np.nanmax(result.r2) <= 1


def test_dependent_features_span_fewer_dimensions():
    dosages, covariates, values = arrays(10)
    more = np.column_stack([values, values[:, 0] - values[:, 2], values[:, 1] * 2])
    setup = setup_of(covariates, more)
    assert len(setup.spanning) == 4
    assert len(setup.features) == 6
    result = associate(Kernel(setup, joint=True, dtype=torch.float64), dosages)
    np.testing.assert_allclose(result.joint_r2, associate(kernel(covariates, values), dosages).joint_r2, rtol=1e-8)


def test_nearly_dependent_features_are_multiplied_in_float64():
    dosages, covariates, values = arrays(11, samples=1000)
    values[:, 3] = values[:, 0] + 1e-4 * values[:, 3]
    result = associate(kernel(covariates, values, dtype=torch.float32), dosages)
    # the sums of squares have a condition of 1e8, so that processors differ in the seventh digit
    compare(result, dosages, covariates, values, 1e-8)


def test_mean_imputation():
    dosages, covariates, values = arrays(12)
    result = associate(kernel(covariates, values, missing="mean"), dosages)
    filled = dosages.astype(float)
    for row in range(40):
        called = dosages[:, row] >= 0
        filled[~called, row] = filled[called, row].mean()
        exact = least_squares(filled[:, row], covariates, values)
        assert (result.n[row], result.df[row]) == (called.sum(), exact["df"])
        np.testing.assert_allclose(result.beta[row], exact["beta"], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(result.se[row], exact["se"], rtol=1e-10)
        assert result.joint_r2[row] == pytest.approx(exact["joint_r2"], rel=1e-8)


def test_samples_without_calls_in_batches_of_any_size(monkeypatch):
    dosages, covariates, values = arrays(13, variants=60, missing=0.1)
    dosages[:, 30:] = np.where(np.random.default_rng(0).random((300, 30)) < 0.3, -127, dosages[:, 30:])
    whole = associate(kernel(covariates, values), dosages)
    monkeypatch.setattr("contigwas.gwas.engine.BATCH", 1)
    single = associate(kernel(covariates, values), dosages)
    for name in ("beta", "se", "r2", "joint_r2"):
        np.testing.assert_allclose(getattr(single, name), getattr(whole, name), rtol=1e-12)
