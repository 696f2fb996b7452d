"""Scales of an expression table (TPM, counts, logarithms): validation and log transformation."""

import logging
from collections import Counter
from collections.abc import Iterator

import numpy as np

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_features import VALUES

log = logging.getLogger(__name__)
SCALES = {"tpm": "TPM", "counts": "counts", "log": "logarithms"}
MILLION = 1e6
MAX_LOG = 50  # the logarithm to base 2 of a million is 20
MIN_MAX_TPM = 25  # if no TPM is larger, the values may be logarithms
MAX_TOTAL = 1.1e6  # sum of the TPM of a sample, which is a million


def require_scale(values: np.ndarray, scale: str, path: PathLike) -> None:
    """Raise UserError if `values` (samples, genes), NaN where missing, cannot have the scale `scale`.

    Logs a warning for TPM that look like counts or logarithms.
    """
    counts: Counter[str] = Counter()
    maximum = -np.inf
    for rows in blocks(values):
        observed = values[rows][~np.isnan(values[rows])]
        counts["known"] += observed.size
        counts["infinite"] += int(np.isinf(observed).sum())
        counts["negative"] += int((observed < 0).sum())
        counts["fractions"] += int((observed != np.floor(observed)).sum())
        counts["large"] += int((observed > MAX_LOG).sum())
        counts["heavy"] += int((np.nansum(values[rows], axis=1, dtype=np.float64) > MAX_TOTAL).sum())
        maximum = max(maximum, observed.max(initial=-np.inf))
    if not counts["known"]:
        raise UserError(f"{path}: every value is missing. Write numbers, and NA where a value is missing")
    if counts["infinite"]:
        raise UserError(
            f"{path}: {counts['infinite']} values are infinite. Write NA where a value is missing, or add a constant "
            "before you take logarithms"
        )
    if scale != "log" and counts["negative"]:
        raise UserError(
            f"{path}: {counts['negative']} of {counts['known']} values are negative, but {SCALES[scale]} are not. "
            "Correct them, or set expression.scale: log if they are logarithms"
        )
    if scale == "counts" and counts["fractions"]:
        raise UserError(
            f"{path}: {counts['fractions']} of {counts['known']} values are not integers, but counts are. Round "
            "expected counts, or correct expression.scale"
        )
    if scale == "log" and counts["large"]:
        raise UserError(
            f"{path}: {counts['large']} of {counts['known']} values are above {MAX_LOG}, too large for logarithms "
            "of expression. They look like TPM or counts: correct expression.scale"
        )
    if scale == "tpm":
        _warn_about_tpm(path, counts["heavy"], len(values), maximum)


def _warn_about_tpm(path: PathLike, heavy: int, samples: int, maximum: float) -> None:
    """Warn if TPM look like counts (`heavy` of `samples` have a large sum) or like logarithms."""
    if heavy:
        log.warning(
            "%s: the values of %d of %d samples sum to more than 1.1 million, but TPM sum to one million. If they are "
            "counts, set expression.scale: counts", path, heavy, samples
        )  # fmt: skip
    elif maximum <= MIN_MAX_TPM:
        log.warning("%s: no value is above %d. If they are logarithms, set expression.scale: log", path, MIN_MAX_TPM)


def logarithms(values: np.ndarray, scale: str) -> np.ndarray:
    """Return `values` (samples, genes) on a log scale: float32 of the same shape, NaN where missing.

    For `tpm` it is log(1 + TPM). For `counts` it is log(1 + count / library size x 1e6), where the library size is the
    sum of the counts of a sample, which must not be 0. For `log` the values are unchanged.
    """
    if scale == "log":
        return values.astype(np.float32)
    observed = values.astype(np.float64)
    if scale == "counts":
        observed *= MILLION / np.nansum(observed, axis=1, keepdims=True)
    return np.log1p(observed).astype(np.float32)


def without_value(values: np.ndarray) -> np.ndarray:
    """Return which samples have no value: bool (samples,)."""
    return np.concatenate([np.isnan(values[rows]).all(axis=1) for rows in blocks(values)])


def only_zeros(values: np.ndarray) -> np.ndarray:
    """Return which samples have only zero or missing values: bool (samples,)."""
    return np.concatenate([(np.nan_to_num(values[rows]) == 0).all(axis=1) for rows in blocks(values)])


def blocks(values: np.ndarray) -> Iterator[slice]:
    """Return slices of samples, so that temporary arrays stay small."""
    rows = max(1, VALUES // max(1, values.shape[1]))
    return (slice(start, start + rows) for start in range(0, len(values), rows))
