"""Setups: bases, residuals, and what is left out."""

import logging

import numpy as np
import pytest

from contigwas.gwas.design import design, independent, orthonormal
from contigwas.runtime.errors import UserError


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_the_basis_is_orthonormal_and_spans_the_covariates(rng):
    covariates = rng.normal(size=(200, 4)) * [1e-6, 1, 1e3, 1e6] + [1, 0, 1e6, -1e7]
    basis, names = orthonormal(covariates, list("abcd"))
    assert names == list("abcd")
    np.testing.assert_allclose(basis.T @ basis, np.eye(5), atol=1e-12)
    standard = (covariates - covariates.mean(0)) / covariates.std(0)
    np.testing.assert_allclose(basis @ (basis.T @ standard), standard, atol=1e-9)


def test_constant_and_dependent_covariates_are_named(rng, caplog):
    covariates = rng.normal(size=(100, 5))
    covariates[:, 1] = 7.1
    covariates[:, 4] = covariates[:, 0] - 2 * covariates[:, 2]
    with caplog.at_level(logging.WARNING):
        basis, names = orthonormal(covariates, ["a", "b", "c", "d", "e"])
    assert basis.shape == (100, 4)
    assert "b" not in names
    assert len(names) == 3
    dropped = ({"a", "c", "e"} - set(names)).pop()
    assert "constant covariates are left out: b" in caplog.text
    assert f"depend linearly on the others are left out: {dropped}" in caplog.text


def test_independent_columns(rng):
    columns = rng.normal(size=(50, 6))
    columns[:, 3] = columns[:, 1] + columns[:, 2]
    columns[:, 5] = 0
    found = independent(columns)
    assert len(found) == 4
    assert {0, 4} < set(found)
    assert (np.diff(found) > 0).all()


def test_features_are_grouped_by_missing_samples(rng):
    covariates, values = rng.normal(size=(80, 2)), rng.normal(size=(80, 5))
    values[:10, [1, 3]] = np.nan
    values[70:, 4] = np.nan
    plan = design(covariates, ["a", "b"], values, list("vwxyz"))
    assert [one.features.tolist() for one in plan.setups] == [[0, 2], [1, 3], [4]]
    assert [len(one.samples) for one in plan.setups] == [80, 70, 70]
    assert plan.joint.features.tolist() == [0, 1, 2, 3, 4]
    assert plan.joint.samples.tolist() == list(range(10, 70))
    for one in [*plan.setups, plan.joint]:
        np.testing.assert_allclose((one.residuals**2).sum(0), len(one.samples) - 1)
        np.testing.assert_allclose(one.basis.T @ one.residuals, 0, atol=1e-10)
        x = np.column_stack([np.ones(len(one.samples)), covariates[one.samples]])
        y = values[np.ix_(one.samples, one.features)]
        left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        np.testing.assert_allclose(one.residuals * one.scale, left, atol=1e-10)


def test_features_that_cannot_be_tested(rng, caplog):
    covariates, values = rng.normal(size=(60, 2)), rng.normal(size=(60, 6))
    values[:, 0] = 0.1
    values[:, 1] = np.nan
    values[:, 2] = 3 * covariates[:, 0] - covariates[:, 1] + 10
    values[4:, 3] = np.nan
    values[:, 4] = 1e9 + values[:, 4]  # varies little, but does
    with caplog.at_level(logging.WARNING):
        plan = design(covariates, ["a", "b"], values, list("uvwxyz"))
    assert [one.features.tolist() for one in plan.setups] == [[4, 5]]
    assert plan.joint is plan.setups[0]
    assert "are not tested: u, w" in caplog.text
    assert "observed in 0 samples and are not tested: v" in caplog.text
    assert "observed in 4 samples, too few for 2 covariates, and are not tested: x" in caplog.text


def test_nothing_left_to_test(rng):
    with pytest.raises(UserError, match=r"observed in too few samples to fit 9 covariates \(there are 8 samples\)"):
        design(rng.normal(size=(8, 9)), list("abcdefghi"), rng.normal(size=(8, 2)), ["u", "v"])
    with pytest.raises(UserError, match="none of the 1 features can be tested"):
        design(rng.normal(size=(50, 1)), ["a"], np.ones((50, 1)), ["u"])


def test_features_without_common_samples(rng):
    values = rng.normal(size=(60, 2))
    values[:30, 0] = np.nan
    values[30:, 1] = np.nan
    plan = design(np.empty((60, 0)), [], values, ["u", "v"])
    assert len(plan.setups) == 2
    assert plan.joint is None
