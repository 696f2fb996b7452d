"""Residuals, ranks and components against scipy, least squares and scikit-learn."""

import logging

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from contigwas.phenotypes.pca import fit, write_pca
from contigwas.phenotypes.transform import inverse_normal, residuals, transformed
from contigwas.runtime.errors import UserError


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_blom_with_average_ranks():
    values = np.array([[3.0, 1.0], [1.0, 1.0], [2.0, np.nan], [1.0, 5.0]])
    expected = stats.norm.ppf((np.array([4, 1.5, 3, 1.5]) - 0.375) / 4.25)
    scores = inverse_normal(values)
    np.testing.assert_allclose(scores[:, 0], expected)
    three = stats.norm.ppf((np.array([1.5, 1.5, 3]) - 0.375) / 3.25)
    np.testing.assert_allclose(scores[[0, 1, 3], 1], three)
    assert np.isnan(scores[2, 1])


def test_scores_are_normal(rng):
    scores = inverse_normal(rng.exponential(size=(5000, 1)) ** 3)[:, 0]
    assert stats.kstest(scores, "norm").statistic < 1e-3


def test_residuals_with_missing_values(rng):
    covariates, values = rng.normal(size=(100, 3)) + 9, rng.normal(size=(100, 3)) * 1e3
    values[:30, 1] = np.nan
    values[:, 2] = 4 * covariates[:, 0] + 1  # explained in full
    found = residuals(values, covariates, list("abc"))
    for column in (0, 1):
        known = ~np.isnan(values[:, column])
        x = np.column_stack([np.ones(known.sum()), covariates[known]])
        left = values[known, column] - x @ np.linalg.lstsq(x, values[known, column], rcond=None)[0]
        np.testing.assert_allclose(found[known, column], left, atol=1e-8)
        assert np.isnan(found[~known, column]).all()
    assert (found[:, 2] == 0).all(), "rounding errors must not be ranked"


def test_transforms(rng):
    covariates, values = rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
    assert transformed(values, covariates, ["a", "b"], "none") is values
    expected = inverse_normal(residuals(values, covariates, ["a", "b"]))
    np.testing.assert_array_equal(transformed(values, covariates, ["a", "b"], "inverse-normal"), expected)


def test_components_are_those_of_sklearn(rng):
    fitted, others = (rng.normal(size=(n, 8)) @ np.diag(np.arange(8, 0, -1)) + 3 for n in (200, 50))
    ours, theirs = fit(fitted, 5), PCA(5).fit(fitted)
    assert ours.names == ["E1", "E2", "E3", "E4", "E5"]
    np.testing.assert_allclose(ours.variance, theirs.explained_variance_)
    np.testing.assert_allclose(ours.ratio, theirs.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs(ours(others)), np.abs(theirs.transform(others)), atol=1e-9)
    assert (ours.loadings[np.arange(5), np.abs(ours.loadings).argmax(1)] > 0).all()


def test_too_many_components(rng, caplog):
    with pytest.raises(UserError, match=r"components is 9, but there are 8 features and 200 samples. .* at most 8"):
        fit(rng.normal(size=(200, 8)), 9)
    with pytest.raises(UserError, match="at most 4"):
        fit(rng.normal(size=(5, 8)), 6)
    with pytest.raises(UserError, match="do not vary"):
        fit(np.ones((20, 4)), 2)
    with caplog.at_level(logging.WARNING):
        flat = fit(rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)), 5)
    assert flat.names == ["E1", "E2"]
    assert "only 2 of the 5 requested components" in caplog.text


def test_the_file_of_components(rng, tmp_path):
    components = fit(rng.normal(size=(60, 4)), 3)
    names = pd.Index(["F1", "F2", "F3", "F4"])
    write_pca(components, names, np.arange(4.0), np.ones(4), tmp_path / "pca.h5ad")
    data = ad.read_h5ad(tmp_path / "pca.h5ad")
    np.testing.assert_allclose(data.X, components.loadings)
    assert data.obs_names.tolist() == ["E1", "E2", "E3"]
    assert data.var_names.tolist() == names.tolist()
    np.testing.assert_allclose(data.obs["explained_variance"], components.variance)
    np.testing.assert_array_equal(data.uns["mean"], np.arange(4.0))
    write_pca(None, names, np.arange(4.0), np.ones(4), tmp_path / "raw.h5ad")
    assert ad.read_h5ad(tmp_path / "raw.h5ad").shape == (0, 4)
