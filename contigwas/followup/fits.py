"""Least-squares fits of one feature, or of all features jointly, on one variant, with classical and HC3 errors."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from statsmodels.api import OLS

from contigwas.gwas.design import DEPENDENT_FEATURE, independent
from contigwas.gwas.engine import MIN_RESIDUAL_SHARE
from contigwas.gwas.pvalues import log10p_f, log10p_t


@dataclass(frozen=True)
class Fit:
    """A fit of one feature; the effect is NaN if it cannot be estimated.

    Attributes:
        n: number of samples.
        df: residual degrees of freedom.
        beta, se: effect of one allele and its standard error.
        log10p: -log10 p.
    """

    n: int
    df: int
    beta: float = np.nan
    se: float = np.nan
    log10p: float = np.nan


@dataclass(frozen=True)
class Joint:
    """A test over all features.

    Attributes:
        n: number of samples.
        span: number of linearly independent features.
        classical: -log10 p of Wilks' lambda.
        robust: -log10 p of the HC3 Wald test.
    """

    n: int
    span: int
    classical: float = np.nan
    robust: float = np.nan


def fit_one(values: np.ndarray, dosage: np.ndarray, basis: np.ndarray) -> tuple[Fit, Fit]:
    """Regress `values` (n,) on `dosage` (n,) and `basis` (n, c), which spans the covariates and the intercept.

    Returns the fit with classical and with HC3 standard errors (MacKinnon and White 1985, J Econometrics 29:305). Both
    p-values use the t distribution on n - c - 1 degrees of freedom. The effects are NaN if the covariates explain the
    variant.
    """
    basis = basis[:, independent(basis)]
    n, df = len(values), len(values) - basis.shape[1] - 1
    if df < 1 or _residual_dosage(dosage, basis) is None:
        return Fit(n, df), Fit(n, df)
    result = OLS(values, np.column_stack([basis, dosage])).fit()
    beta = float(result.params[-1])
    return _fit(n, df, beta, float(result.bse[-1])), _fit(n, df, beta, float(result.HC3_se[-1]))


def _fit(n: int, df: int, beta: float, se: float) -> Fit:
    """Return a fit with its -log10 p; its effect is NaN if `se` is not positive and finite."""
    if not (np.isfinite(se) and se > 0):
        return Fit(n, df)
    square = (beta / se) ** 2
    log10p = log10p_t(np.array([square / (square + df)]), np.array([float(df)]))
    return Fit(n, df, beta, se, float(log10p[0]))


def _residual_dosage(dosage: np.ndarray, basis: np.ndarray) -> np.ndarray | None:
    """Return the residuals of the dosage on `basis`; None if their share of its variance is too small."""
    orthonormal = np.linalg.qr(basis)[0]
    residual = dosage - orthonormal @ (orthonormal.T @ dosage)
    residual -= orthonormal @ (orthonormal.T @ residual)
    total = ((dosage - dosage.mean()) ** 2).sum()
    return residual if total > 0 and (residual**2).sum() >= MIN_RESIDUAL_SHARE * total else None


def fit_joint(values: np.ndarray, dosage: np.ndarray, basis: np.ndarray) -> Joint:
    """Test whether `dosage` (n,) is associated with any of the features `values` (n, P), given `basis` (n, c).

    The classical test is MANOVA. The robust test is the Wald test of the P effects b with their HC3 sandwich covariance
    V (P, P). With W = b' V^-1 b and df = n - c - 1, W (df - P + 1) / (P df) is compared with the F distribution on P
    and df - P + 1 degrees of freedom. This tends to chi-squared on P degrees of freedom divided by P in large
    samples, and equals MANOVA if V is the classical covariance. Linearly dependent features are left out. The results
    are NaN if there are too few samples.
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
    residual = _residual_dosage(dosage, basis)
    if residual is None or not span or df + 1 - span < 1:
        return Joint(n, span)
    sgg = residual @ residual
    beta = residuals.T @ residual / sgg
    complement = 1 - (orthonormal**2).sum(axis=1) - residual**2 / sgg  # one minus the leverage
    errors = residuals - np.outer(residual, beta)
    classical = _quadratic_form(residuals, beta) * sgg
    robust = np.nan
    if complement.min() > 1e-9:  # HC3 is undefined for a leverage of 1
        wald = _quadratic_form(errors * (residual / sgg / complement)[:, None], beta)
        robust = _log10p(wald / (wald + df), span, df)
    return Joint(n, span, _log10p(classical, span, df), robust)


def _quadratic_form(rows: np.ndarray, beta: np.ndarray) -> float:
    """Return b' (R'R)^-1 b of `rows` R (n, P) and `beta` b (P,); NaN if R'R is singular."""
    triangle = np.linalg.qr(rows, mode="r")
    diagonal = np.abs(np.diagonal(triangle))
    if diagonal.min() <= 1e-12 * diagonal.max():
        return np.nan
    return float((solve_triangular(triangle, beta, trans="T") ** 2).sum())


def _log10p(r2: float, span: int, df: int) -> float:
    """Return -log10 p of the F test on `span` and df + 1 - span degrees of freedom."""
    return float(log10p_f(np.array([r2]), np.array([span]), np.array([df + 1 - span]))[0])
