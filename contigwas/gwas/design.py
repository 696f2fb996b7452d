"""What is done once before any variant is read: covariates to an orthonormal basis, features to their residuals."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)

DEPENDENT = 1e-8  # of the pivoted QR's diagonal: below it a covariate adds nothing
DEPENDENT_FEATURE = 1e-6  # the same for features, whose cross-products must keep a Cholesky factor
NO_VARIANCE = 1e-12  # share of its sum of squares that a feature keeps after the covariates


class NothingToTestError(UserError):
    """No feature varies beyond the covariates among the samples, or these are too few."""


@dataclass(frozen=True)
class Setup:
    """Features that are known for the same samples, with the covariates taken out.

    Attributes:
        samples: rows among the tested samples, int64 (n,).
        features: columns of the phenotypes, int64 (P,): only those that vary.
        columns: `basis` and `residuals` side by side, float64 (n, c + P).
        rank: c, the number of columns of `basis`.
        scale: what the residuals were divided by, float64 (P,).
        spanning: positions in `features` of a linearly independent set that spans all of them.
    """

    samples: np.ndarray
    features: np.ndarray
    columns: np.ndarray
    rank: int
    scale: np.ndarray
    spanning: np.ndarray

    @property
    def basis(self) -> np.ndarray:
        """Orthonormal basis of the intercept and the covariates, (n, c), the intercept first."""
        return self.columns[:, : self.rank]

    @property
    def residuals(self) -> np.ndarray:
        """Features without their part in `basis` (and their offsets), each of unit standard deviation, (n, P)."""
        return self.columns[:, self.rank :]


@dataclass(frozen=True)
class Design:
    """All setups of a GWAS.

    Attributes:
        setups: one a pattern of missing samples; together they hold every feature that can be tested.
        joint: the samples that have every such feature, for the test over all of them; None where nobody is left.
        covariates: names of the covariates in the first setup's basis.
    """

    setups: list[Setup]
    joint: Setup | None
    covariates: list[str]


@dataclass(frozen=True)
class Table:
    """What is regressed on what: float64 arrays with a row a sample.

    covariates: (samples, q), complete, without an intercept; `names` of its columns. features: (samples, P), NaN is
    missing; `titles` of its columns. offsets: None, or (samples, P) predictions to take out of the features, in SDs of
    the residualised feature; NaN is missing.
    """

    covariates: np.ndarray
    names: Sequence[str]
    features: np.ndarray
    titles: Sequence[str]
    offsets: np.ndarray | None = None

    @property
    def known(self) -> np.ndarray:
        """Where a feature, and its offset, is there: bool (samples, P)."""
        known = ~np.isnan(self.features)
        return known if self.offsets is None else known & ~np.isnan(self.offsets)


def design(
    covariates: np.ndarray,
    names: Sequence[str],
    features: np.ndarray,
    titles: Sequence[str],
    offsets: np.ndarray | None = None,
) -> Design:
    """Set up the regression of `features` (samples, P; NaN is missing) on `covariates` (samples, q; without intercept).

    `names` and `titles` name the columns of the two, `offsets` are those of `Table`. Features that miss samples are
    grouped by who is missing. A feature without variance, without samples, or explained by the covariates is left out
    with a warning, as are constant and dependent covariates. Raises NothingToTestError when no feature is left,
    or where there are not more samples than covariates.
    """
    table = Table(covariates, names, features, titles, offsets)
    known = table.known
    patterns: dict[bytes, list[int]] = {}
    for column in range(features.shape[1]):
        patterns.setdefault(np.packbits(known[:, column]).tobytes(), []).append(column)
    setups, kept = [], []
    for columns in patterns.values():
        samples = np.flatnonzero(known[:, columns[0]])
        found = _setup(table, samples, np.array(columns))
        if found is not None:
            setups.append(found[0])
            kept.append(found[1])
    if not setups:
        raise NothingToTestError(
            f"none of the {features.shape[1]} features can be tested: each is constant, is explained by the "
            f"covariates, or is known for too few samples to fit {covariates.shape[1]} covariates (there are "
            f"{features.shape[0]} samples): supply more samples or shorten gwas.covariates"
        )
    log.info("%d samples, %d features in %d patterns of missing samples, %d covariates", features.shape[0],
             sum(len(one.features) for one in setups), len(setups), len(kept[0]))  # fmt: skip
    return Design(setups, _joint(table, setups), kept[0])


def _joint(table: Table, setups: list[Setup]) -> Setup | None:
    """The setup of the samples that have every feature that any setup holds."""
    if len(setups) == 1:
        return setups[0]
    columns = np.sort(np.concatenate([one.features for one in setups]))
    samples = np.flatnonzero(table.known[:, columns].all(axis=1))
    log.info(
        "features miss different samples: the test over all of them uses the %d samples with every one", len(samples)
    )
    found = _setup(table, samples, columns)
    return None if found is None else found[0]


def _setup(table: Table, samples: np.ndarray, columns: np.ndarray) -> tuple[Setup, list[str]] | None:
    """The setup of `columns` among `samples` and the names of its covariates; None, with a warning, if none is left."""
    reported = ", ".join(table.titles[column] for column in columns[:10])
    if len(samples) < 3:
        log.warning("%d features are known for %d samples and are not tested: %s", len(columns), len(samples), reported)
        return None
    basis, kept = orthonormal(table.covariates[samples], table.names)
    if len(samples) - basis.shape[1] - 1 < 1:
        log.warning("%d features are known for %d samples, too few for %d covariates, and are not tested: %s",
                    len(columns), len(samples), len(kept), reported)  # fmt: skip
        return None
    part = np.ix_(samples, columns)
    offsets = None if table.offsets is None else table.offsets[part]
    residuals, scale, varies = residualise(table.features[part], basis, offsets)
    if not varies.all():
        log.warning("features that do not vary, or only with the covariates, are not tested: %s",
                    ", ".join(table.titles[column] for column in columns[~varies]))  # fmt: skip
        if not varies.any():
            return None
    residuals = residuals[:, varies]
    spanning = independent(residuals, DEPENDENT_FEATURE)
    if len(spanning) < residuals.shape[1]:
        log.warning("%d of %d features depend linearly on the others: the test over all features spans %d dimensions",
                    residuals.shape[1] - len(spanning), residuals.shape[1], len(spanning))  # fmt: skip
    return Setup(samples, columns[varies], np.hstack([basis, residuals]), basis.shape[1], scale[varies], spanning), kept


def orthonormal(covariates: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Orthonormal basis (samples, c) of the intercept and `covariates` (samples, q), and the names of those in it.

    Constant covariates and those that depend on others (pivoted QR) are left out and named in a warning.
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
    standard -= standard.mean(axis=0)  # what rounding left of a large mean
    intercept = np.full((samples, 1), 1 / np.sqrt(samples))
    basis = np.hstack([intercept, np.linalg.qr(standard)[0]])
    return basis, [names[column] for column in spanning]


def independent(columns: np.ndarray, tolerance: float = DEPENDENT) -> np.ndarray:
    """Positions, ascending, of a linearly independent set of `columns` (samples, q) that spans them."""
    if not columns.shape[1]:
        return np.empty(0, np.int64)
    # Pivoting on the small triangle instead of the columns finds the same, faster.
    triangle, pivots = qr(np.linalg.qr(columns, mode="r"), mode="r", pivoting=True)
    diagonal = np.abs(np.diagonal(triangle))
    return np.sort(pivots[: len(diagonal)][diagonal >= tolerance * diagonal[0]]).astype(np.int64)


def residualise(
    values: np.ndarray, basis: np.ndarray, offsets: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residuals of `values` (samples, P) on `basis`, of unit SD; the SDs taken out; whether each column varies at all.

    Projected twice, so that the residuals are orthogonal to the basis to the last bits. `offsets` (samples, P), in SDs
    of the residuals, are residualised too and taken out. Columns that do not vary have SD 1.
    """
    samples, rank = basis.shape
    mean = values.mean(axis=0)
    centred = values - mean
    total = (centred**2).sum(axis=0)
    residuals = _project(centred, basis)
    left = (residuals**2).sum(axis=0)
    varies = (total > 1e-24 * (values**2).sum(axis=0)) & (left > NO_VARIANCE * total)
    if offsets is not None:
        residuals -= np.sqrt(left / max(samples - rank, 1)) * _project(offsets, basis)
        left = (residuals**2).sum(axis=0)
        varies &= left > NO_VARIANCE * total
    scale = np.where(varies, np.sqrt(left / max(samples - 1, 1)), 1.0)
    return residuals / scale, scale, varies


def _project(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    residuals = values - basis @ (basis.T @ values)
    return residuals - basis @ (basis.T @ residuals)
