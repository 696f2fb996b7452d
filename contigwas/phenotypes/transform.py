"""Residuals and rank-based inverse-normal scores."""

import numpy as np
from scipy.stats import norm, rankdata

from contigwas.gwas.design import orthonormal


def inverse_normal(values: np.ndarray) -> np.ndarray:
    """Blom's scores norm.ppf((r - 3/8) / (n + 1/4)) of each column of (samples, features), ties at their average rank.

    NaN stays NaN and does not count in n.
    """
    result = np.full(values.shape, np.nan)
    for column, known in enumerate(~np.isnan(values).T):
        ranks = rankdata(values[known, column])
        result[known, column] = norm.ppf((ranks - 3 / 8) / (known.sum() + 1 / 4))
    return result


def residuals(values: np.ndarray, covariates: np.ndarray, names: list[str]) -> np.ndarray:
    """Residuals of each column of `values` (samples, features) on an intercept and `covariates` (samples, q).

    NaN stays NaN: such a column is fitted on the samples that have it. A column that the covariates explain fully
    becomes 0, so that rounding errors are not ranked.
    """
    result = np.full(values.shape, np.nan)
    known = ~np.isnan(values)
    patterns, of = np.unique(known, axis=1, return_inverse=True)
    for pattern in range(patterns.shape[1]):
        samples, columns = np.flatnonzero(patterns[:, pattern]), np.flatnonzero(of == pattern)
        if not len(samples):
            continue
        basis, _ = orthonormal(covariates[samples], names)
        centred = values[np.ix_(samples, columns)]
        size = (centred**2).sum(axis=0)
        centred = centred - centred.mean(axis=0)
        total = (centred**2).sum(axis=0)
        left = centred - basis @ (basis.T @ centred)
        left -= basis @ (basis.T @ left)
        explained = (total <= 1e-24 * size) | ((left**2).sum(axis=0) <= 1e-12 * total)
        left[:, explained] = 0.0
        result[np.ix_(samples, columns)] = left
    return result


def transformed(values: np.ndarray, covariates: np.ndarray, names: list[str], transform: str) -> np.ndarray:
    """`values` (samples, features) as they are tested: `inverse-normal` scores of their residuals, or (`none`) as is."""
    return inverse_normal(residuals(values, covariates, names)) if transform == "inverse-normal" else values
