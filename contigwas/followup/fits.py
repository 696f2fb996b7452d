"""Least-squares fits of one feature, or of all together, on one variant, with classical and with HC3 errors."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from statsmodels.api import OLS

from contigwas.gwas.design import DEPENDENT_FEATURE, independent
from contigwas.gwas.engine import LEAST_SHARE
from contigwas.gwas.pvalues import log10p_f, log10p_t


@dataclass(frozen=True)
class Fit:
    """Samples, residual degrees of freedom, effect of one allele, its standard error, and -log10 p; NaN if unfit."""

    n: int
    df: int
    beta: float = np.nan
    se: float = np.nan
    log10p: float = np.nan


@dataclass(frozen=True)
class Joint:
    """A test over all features: samples, features that span them, -log10 p of Wilks' lambda and of the HC3 Wald test."""

    n: int
    span: int
    classical: float = np.nan
    robust: float = np.nan


def fit_one(values: np.ndarray, dosage: np.ndarray, basis: np.ndarray) -> tuple[Fit, Fit]:
    """Regress `values` (n,) on `dosage` (n,) and `basis` (n, c), which spans the covariates and the intercept.

    Returns the fit with classical errors, and with HC3 errors (MacKinnon and White 1985, J Econometrics 29:305): both
    -log10 p are of t on n - c - 1 degrees of freedom. NaN where the variant does not vary beyond the covariates.
    """
    basis = basis[:, independent(basis)]
    n, df = len(values), len(values) - basis.shape[1] - 1
    if df < 1 or _left(dosage, basis) is None:
        return Fit(n, df), Fit(n, df)
    result = OLS(values, np.column_stack([basis, dosage])).fit()
    beta = float(result.params[-1])
    return _fit(n, df, beta, float(result.bse[-1])), _fit(n, df, beta, float(result.HC3_se[-1]))


def _fit(n: int, df: int, beta: float, se: float) -> Fit:
    if not (np.isfinite(se) and se > 0):
        return Fit(n, df)
    square = (beta / se) ** 2
    log10p = log10p_t(np.array([square / (square + df)]), np.array([float(df)]))
    return Fit(n, df, beta, se, float(log10p[0]))


def _left(dosage: np.ndarray, basis: np.ndarray) -> np.ndarray | None:
    """What the columns of `basis` leave of the dosage, None where that is less than the GWAS demands."""
    orthonormal = np.linalg.qr(basis)[0]
    left = dosage - orthonormal @ (orthonormal.T @ dosage)
    left -= orthonormal @ (orthonormal.T @ left)
    total = ((dosage - dosage.mean()) ** 2).sum()
    return left if total > 0 and (left**2).sum() >= LEAST_SHARE * total else None


def fit_joint(values: np.ndarray, dosage: np.ndarray, basis: np.ndarray) -> Joint:
    """Whether `dosage` (n,) moves any of the features `values` (n, P), given `basis` (n, c): classical and robust.

    classical is MANOVA. robust is the Wald test of the P effects with their P x P sandwich covariance (HC3): of
    W = b' V^-1 b, W (df - P + 1) / (P df) is referred to F on P and df - P + 1 degrees of freedom, df = n - c - 1. That
    is chi-squared of P degrees of freedom divided by P in many samples, and MANOVA itself where V is the classical
    covariance. Features that depend on the others are left out. NaN where there are too few samples.
    """
    basis = basis[:, independent(basis)]
    n, df = len(values), len(values) - basis.shape[1] - 1
    orthonormal = np.linalg.qr(basis)[0]
    values = values - values.mean(axis=0)
    residuals = values - orthonormal @ (orthonormal.T @ values)
    residuals -= orthonormal @ (orthonormal.T @ residuals)
    scale = np.sqrt((residuals**2).sum(axis=0))
    residuals = residuals[:, scale > 0] / scale[scale > 0]
    residuals = residuals[:, independent(residuals, DEPENDENT_FEATURE)]
    span = residuals.shape[1]
    left = _left(dosage, basis)
    if left is None or not span or df + 1 - span < 1:
        return Joint(n, span)
    sgg = left @ left
    beta = residuals.T @ left / sgg
    spread = 1 - (orthonormal**2).sum(axis=1) - left**2 / sgg  # one minus the leverage
    errors = residuals - np.outer(left, beta)
    classical = _square(residuals, beta) * sgg
    robust = np.nan
    if spread.min() > 1e-9:  # a sample that the fit cannot miss has no HC3 error
        wald = _square(errors * (left / sgg / spread)[:, None], beta)
        robust = _log10p(wald / (wald + df), span, df)
    return Joint(n, span, _log10p(classical, span, df), robust)


def _square(rows: np.ndarray, beta: np.ndarray) -> float:
    """b' (R'R)^-1 b of `rows` R (n, P) and `beta` (P,); NaN where R'R is singular."""
    triangle = np.linalg.qr(rows, mode="r")
    diagonal = np.abs(np.diagonal(triangle))
    if diagonal.min() <= 1e-12 * diagonal.max():
        return np.nan
    return float((solve_triangular(triangle, beta, trans="T") ** 2).sum())


def _log10p(r2: float, span: int, df: int) -> float:
    return float(log10p_f(np.array([r2]), np.array([span]), np.array([df + 1 - span]))[0])
