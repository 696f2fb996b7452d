"""One p-value over many features: Bonferroni's minimum and the Cauchy combination, from -log10 p, in log space."""

import numpy as np

LN10 = np.log(10.0)
SMALL = 8.0  # -log10 p from which cot(pi p) is 1/(pi p) to double precision
LEAST_REST = 1e-12  # of 1 - p: cot(pi) is minus infinity


def minp(log10p: np.ndarray) -> np.ndarray:
    """-log10 of min(1, P x the smallest p), (variants,), of `log10p` (variants, features).

    P counts the features that are not NaN; NaN where there is none.
    """
    count = np.count_nonzero(~np.isnan(log10p), axis=1)
    best = np.where(np.isnan(log10p), -np.inf, log10p).max(axis=1, initial=-np.inf)
    return np.where(count > 0, np.maximum(best - np.log10(np.maximum(count, 1)), 0.0), np.nan)


def acat(log10p: np.ndarray) -> np.ndarray:
    """-log10 p of the Cauchy combination with equal weights, (variants,), of `log10p` (variants, features).

    T = mean cot(pi p), p = atan2(1, T) / pi (Liu and Xie 2020, JASA 115:393). P-values below 1e-8 enter as 1/(pi p)
    in a log-sum-exp, p is at most 1 - 1e-12. NaN where no feature has a p.
    """
    known = ~np.isnan(log10p)
    count = known.sum(axis=1)
    small = known & (log10p > SMALL)
    ordinary = known & ~small
    logs = -np.where(ordinary, log10p, 1.0) * LN10
    # Near p = 1 the angle is measured from there, which 1 - p in float64 could not tell.
    p, rest = np.exp(logs), np.maximum(-np.expm1(logs), LEAST_REST)
    cot = np.where(p < 0.5, 1 / np.tan(np.pi * p), -1 / np.tan(np.pi * rest))
    rest = np.where(ordinary, cot, 0.0).sum(axis=1)
    logs = np.where(small, log10p * LN10 - np.log(np.pi), -np.inf)
    shift = np.maximum(logs.max(axis=1, initial=-np.inf), 0.0)
    total = (np.exp(logs - shift[:, None]).sum(axis=1) + rest * np.exp(-shift)) / np.maximum(count, 1)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        far = np.log(total) + shift  # log T, where T is positive
        near = -np.log10(np.arctan2(1.0, total * np.exp(np.minimum(shift, 700.0))) / np.pi)
        result = np.where((total > 0) & (far > SMALL * LN10), (far + np.log(np.pi)) / LN10, near)
    return np.where(count > 0, np.maximum(result, 0.0), np.nan)
