"""Residuals on covariates and the rank-based inverse-normal transform."""

import numpy as np
from scipy.stats import norm, rankdata

from contigwas.gwas.design import orthonormal


def inverse_normal(values: np.ndarray) -> np.ndarray:
    """Return the Blom scores norm.ppf((r - 3/8) / (n + 1/4)) of each column of `values` (samples, features).

    Ties get their average rank. NaN stays NaN and does not count in n.
    """
    result = np.full(values.shape, np.nan)
    for column, observed in enumerate(~np.isnan(values).T):
        ranks = rankdata(values[observed, column])
        result[observed, column] = norm.ppf((ranks - 3 / 8) / (observed.sum() + 1 / 4))
    return result


def residuals(values: np.ndarray, covariates: np.ndarray, names: list[str]) -> np.ndarray:
    """Return the residuals of `values` (samples, features) on an intercept and `covariates` (samples, q).

    NaN stays NaN; each column is fitted on its samples without NaN. A column that the covariates explain completely
    becomes 0, so that rounding errors are not ranked.
    """
    result = np.full(values.shape, np.nan)
    observed = ~np.isnan(values)
    patterns, pattern_of_column = np.unique(observed, axis=1, return_inverse=True)
    for pattern in range(patterns.shape[1]):
        samples, columns = np.flatnonzero(patterns[:, pattern]), np.flatnonzero(pattern_of_column == pattern)
        if not len(samples):
            continue
        basis, _ = orthonormal(covariates[samples], names)
        centred = values[np.ix_(samples, columns)]
        size = (centred**2).sum(axis=0)
        centred = centred - centred.mean(axis=0)
        total = (centred**2).sum(axis=0)
        remaining = centred - basis @ (basis.T @ centred)
        remaining -= basis @ (basis.T @ remaining)
        explained = (total <= 1e-24 * size) | ((remaining**2).sum(axis=0) <= 1e-12 * total)
        remaining[:, explained] = 0.0
        result[np.ix_(samples, columns)] = remaining
    return result


def transformed(values: np.ndarray, covariates: np.ndarray, names: list[str], transform: str) -> np.ndarray:
    """Return `values` (samples, features) unchanged (`none`), or the `inverse-normal` transform of their residuals."""
    return inverse_normal(residuals(values, covariates, names)) if transform == "inverse-normal" else values
