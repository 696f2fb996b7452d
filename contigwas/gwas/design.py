"""Regression design: an orthonormal basis of the covariates and the residuals of the features on it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)

DEPENDENT = 1e-8  # relative diagonal of the pivoted QR: a covariate below it is linearly dependent
DEPENDENT_FEATURE = 1e-6  # the same for features; larger, because their cross-products need a Cholesky factor
NO_VARIANCE = 1e-12  # minimum share of a feature's sum of squares that the covariates leave


class NothingToTestError(UserError):
    """No feature can be tested: none varies after the covariates, or there are too few samples."""


@dataclass(frozen=True)
class Setup:
    """Features that are observed in the same samples, as residuals on the covariates.

    Attributes:
        samples: row numbers among the tested samples, int64 (n,).
        features: column numbers of the phenotypes, int64 (P,): only features that vary.
        columns: `basis` followed by `residuals`, float64 (n, c + P).
        rank: c, the number of columns of `basis`.
        scale: standard deviations that the residuals were divided by, float64 (P,).
        spanning: positions in `features` of a linearly independent set that spans all of them, int64.
    """

    samples: np.ndarray
    features: np.ndarray
    columns: np.ndarray
    rank: int
    scale: np.ndarray
    spanning: np.ndarray

    @property
    def basis(self) -> np.ndarray:
        """Orthonormal basis of the intercept (first column) and the covariates, float64 (n, c)."""
        return self.columns[:, : self.rank]

    @property
    def residuals(self) -> np.ndarray:
        """Residuals of the features on `basis`, minus their offsets, with unit SD, float64 (n, P)."""
        return self.columns[:, self.rank :]


@dataclass(frozen=True)
class Design:
    """All setups of a GWAS.

    Attributes:
        setups: one per pattern of missing samples; together they hold every feature that can be tested.
        joint: setup of the samples that have all these features, for the test over features; None if it is impossible.
        covariates: names of the covariates in the basis of the first setup.
    """

    setups: list[Setup]
    joint: Setup | None
    covariates: list[str]


@dataclass(frozen=True)
class Table:
    """Covariates, features and offsets of the same samples.

    Attributes:
        covariates: float64 (samples, q), complete, without an intercept.
        covariate_names: names of its q columns.
        features: float64 (samples, P); NaN is missing.
        feature_names: names of its P columns.
        offsets: None, or float64 (samples, P): predictions to subtract from the features, in standard deviations of
            the residualised feature; NaN is missing.
    """

    covariates: np.ndarray
    covariate_names: Sequence[str]
    features: np.ndarray
    feature_names: Sequence[str]
    offsets: np.ndarray | None = None

    @property
    def observed(self) -> np.ndarray:
        """Whether a feature, and its offset if there are offsets, is observed: bool (samples, P)."""
        observed = ~np.isnan(self.features)
        return observed if self.offsets is None else observed & ~np.isnan(self.offsets)


def design(
    covariates: np.ndarray,
    covariate_names: Sequence[str],
    features: np.ndarray,
    feature_names: Sequence[str],
    offsets: np.ndarray | None = None,
) -> Design:
    """Set up the regression of `features` (samples, P) on `covariates` (samples, q).

    The arguments are the attributes of `Table`. Features are grouped by their pattern of missing samples. A feature
    without variance, with too few samples, or explained by the covariates is left out with a warning. So are constant
    and linearly dependent covariates. Raises NothingToTestError if no feature is left.
    """
    table = Table(covariates, covariate_names, features, feature_names, offsets)
    observed = table.observed
    patterns: dict[bytes, list[int]] = {}
    for column in range(features.shape[1]):
        patterns.setdefault(np.packbits(observed[:, column]).tobytes(), []).append(column)
    setups, kept = [], []
    for columns in patterns.values():
        samples = np.flatnonzero(observed[:, columns[0]])
        found = _setup(table, samples, np.array(columns))
        if found is not None:
            setups.append(found[0])
            kept.append(found[1])
    if not setups:
        raise NothingToTestError(
            f"none of the {features.shape[1]} features can be tested: each one is constant, is explained by the "
            f"covariates, or is observed in too few samples to fit {covariates.shape[1]} covariates (there are "
            f"{features.shape[0]} samples). Supply more samples or shorten gwas.covariates"
        )
    log.info("%d samples, %d features in %d patterns of missing samples, %d covariates", features.shape[0],
             sum(len(one.features) for one in setups), len(setups), len(kept[0]))  # fmt: skip
    return Design(setups, _joint(table, setups), kept[0])


def _joint(table: Table, setups: list[Setup]) -> Setup | None:
    """Return the setup of the samples that have every tested feature, or None if these cannot be tested jointly."""
    if len(setups) == 1:
        return setups[0]
    columns = np.sort(np.concatenate([one.features for one in setups]))
    samples = np.flatnonzero(table.observed[:, columns].all(axis=1))
    log.info(
        "features are missing in different samples: the joint test uses the %d samples that have all features",
        len(samples),
    )
    found = _setup(table, samples, columns)
    return None if found is None else found[0]


def _setup(table: Table, samples: np.ndarray, columns: np.ndarray) -> tuple[Setup, list[str]] | None:
    """Return the setup of `columns` among `samples` and its covariate names; None, with a warning, if empty."""
    listed = ", ".join(table.feature_names[column] for column in columns[:10])
    if len(samples) < 3:
        log.warning("%d features are observed in %d samples and are not tested: %s", len(columns), len(samples), listed)
        return None
    basis, kept = orthonormal(table.covariates[samples], table.covariate_names)
    if len(samples) - basis.shape[1] - 1 < 1:
        log.warning("%d features are observed in %d samples, too few for %d covariates, and are not tested: %s",
                    len(columns), len(samples), len(kept), listed)  # fmt: skip
        return None
    part = np.ix_(samples, columns)
    offsets = None if table.offsets is None else table.offsets[part]
    residuals, scale, varies = residualise(table.features[part], basis, offsets)
    if not varies.all():
        log.warning("features that are constant, or explained by the covariates, are not tested: %s",
                    ", ".join(table.feature_names[column] for column in columns[~varies]))  # fmt: skip
        if not varies.any():
            return None
    residuals = residuals[:, varies]
    spanning = independent(residuals, DEPENDENT_FEATURE)
    if len(spanning) < residuals.shape[1]:
        log.warning("%d of %d features depend linearly on the others: the joint test uses %d dimensions",
                    residuals.shape[1] - len(spanning), residuals.shape[1], len(spanning))  # fmt: skip
    return Setup(samples, columns[varies], np.hstack([basis, residuals]), basis.shape[1], scale[varies], spanning), kept


def orthonormal(covariates: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return an orthonormal basis (samples, c) of the intercept and `covariates` (samples, q), and the names in it.

    Constant and linearly dependent covariates (found by a pivoted QR) are left out and named in a warning.
    """
    samples = len(covariates)
    centred = covariates - covariates.mean(axis=0)
    sd = np.sqrt((centred**2).mean(axis=0))
    varies = sd > 1e-12 * np.abs(covariates).max(axis=0, initial=0.0)
    if not varies.all():
        constant = [name for name, one in zip(names, varies, strict=True) if not one]
        log.warning("constant covariates are left out: %s", ", ".join(constant))
    candidates = np.flatnonzero(varies)
    standard = centred[:, candidates] / sd[candidates]
    spanning = candidates[independent(standard)]
    if len(spanning) < len(candidates):
        dependent = [names[column] for column in candidates if column not in spanning]
        log.warning("covariates that depend linearly on the others are left out: %s", ", ".join(dependent))
    standard = centred[:, spanning] / sd[spanning]
    standard -= standard.mean(axis=0)  # removes the rounding error of a large mean
    intercept = np.full((samples, 1), 1 / np.sqrt(samples))
    basis = np.hstack([intercept, np.linalg.qr(standard)[0]])
    return basis, [names[column] for column in spanning]


def independent(columns: np.ndarray, tolerance: float = DEPENDENT) -> np.ndarray:
    """Return the positions of a linearly independent set of `columns` (samples, q) that spans them, ascending int64."""
    if not columns.shape[1]:
        return np.empty(0, np.int64)
    # Pivoting the (q, q) triangle gives the same pivots as pivoting all columns, and is faster.
    triangle, pivots = qr(np.linalg.qr(columns, mode="r"), mode="r", pivoting=True)
    diagonal = np.abs(np.diagonal(triangle))
    return np.sort(pivots[: len(diagonal)][diagonal >= tolerance * diagonal[0]]).astype(np.int64)


def residualise(
    values: np.ndarray, basis: np.ndarray, offsets: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the residuals of `values` (samples, P) on `basis`, with unit SD, their SDs, and whether they vary.

    The projection is applied twice, so that the residuals are orthogonal to the basis up to rounding. `offsets`
    (samples, P), in SDs of the residuals, are residualised and subtracted. Columns that do not vary get an SD of 1.
    """
    samples, rank = basis.shape
    mean = values.mean(axis=0)
    centred = values - mean
    total = (centred**2).sum(axis=0)
    residuals = _project(centred, basis)
    remaining = (residuals**2).sum(axis=0)
    varies = (total > 1e-24 * (values**2).sum(axis=0)) & (remaining > NO_VARIANCE * total)
    if offsets is not None:
        residuals -= np.sqrt(remaining / max(samples - rank, 1)) * _project(offsets, basis)
        remaining = (residuals**2).sum(axis=0)
        varies &= remaining > NO_VARIANCE * total
    scale = np.where(varies, np.sqrt(remaining / max(samples - 1, 1)), 1.0)
    return residuals / scale, scale, varies


def _project(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return the residuals of `values` (samples, P) on the orthonormal `basis` (samples, c)."""
    residuals = values - basis @ (basis.T @ values)
    return residuals - basis @ (basis.T @ residuals)
