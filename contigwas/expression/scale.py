"""What the values of an expression table are (TPM, counts, logarithms), whether they can be, and their logarithms."""

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
LARGEST_LOG = 50  # a logarithm to base 2 of a million is 20
LEAST_TPM = 25  # where no TPM is larger, they may be logarithms
LARGEST_TOTAL = 1.1e6  # of a sample's TPM, which add up to a million


def require_scale(values: np.ndarray, scale: str, path: PathLike) -> None:
    """Raise UserError where `values` (samples, genes), NaN where missing, cannot be what `scale` says; warn of doubt."""
    seen: Counter[str] = Counter()
    most = -np.inf
    for rows in blocks(values):
        known = values[rows][~np.isnan(values[rows])]
        seen["known"] += known.size
        seen["infinite"] += int(np.isinf(known).sum())
        seen["negative"] += int((known < 0).sum())
        seen["fractions"] += int((known != np.floor(known)).sum())
        seen["large"] += int((known > LARGEST_LOG).sum())
        seen["heavy"] += int((np.nansum(values[rows], axis=1, dtype=np.float64) > LARGEST_TOTAL).sum())
        most = max(most, known.max(initial=-np.inf))
    if not seen["known"]:
        raise UserError(f"{path}: every value is missing: write numbers, and NA where a value is not known")
    if seen["infinite"]:
        raise UserError(
            f"{path}: {seen['infinite']} values are infinite: leave them empty where unknown, or add a constant before "
            "a logarithm is taken"
        )
    if scale != "log" and seen["negative"]:
        raise UserError(
            f"{path}: {seen['negative']} of {seen['known']} values are negative, which {SCALES[scale]} cannot be: "
            "correct them, or write expression.scale: log if they are logarithms"
        )
    if scale == "counts" and seen["fractions"]:
        raise UserError(
            f"{path}: {seen['fractions']} of {seen['known']} values are no whole numbers, which counts are: round "
            "expected counts, or correct expression.scale"
        )
    if scale == "log" and seen["large"]:
        raise UserError(
            f"{path}: {seen['large']} of {seen['known']} values are above {LARGEST_LOG}, more than a logarithm of "
            "expression is: they look like TPM or counts, correct expression.scale"
        )
    if scale == "tpm":
        _warn(path, seen["heavy"], len(values), most)


def _warn(path: PathLike, heavy: int, samples: int, most: float) -> None:
    if heavy:
        log.warning(
            "%s: the values of %d of %d samples add up to more than 1.1 million, where TPM add up to one: if they are "
            "counts, write expression.scale: counts", path, heavy, samples
        )  # fmt: skip
    elif most <= LEAST_TPM:
        log.warning("%s: no value is above %d: if they are logarithms, write expression.scale: log", path, LEAST_TPM)


def logarithms(values: np.ndarray, scale: str) -> np.ndarray:
    """The log scale of `values` (samples, genes): float32 of the same shape, NaN where they are.

    log(1 + TPM); log(1 + count / library size x 1e6), the library size the sum of the sample's counts; logarithms as
    they are. Whoever has no count must not be among them.
    """
    if scale == "log":
        return values.astype(np.float32)
    known = values.astype(np.float64)
    if scale == "counts":
        known *= MILLION / np.nansum(known, axis=1, keepdims=True)
    return np.log1p(known).astype(np.float32)


def without_value(values: np.ndarray) -> np.ndarray:
    """Who has no value at all: bool (samples,)."""
    return np.concatenate([np.isnan(values[rows]).all(axis=1) for rows in blocks(values)])


def only_zeros(values: np.ndarray) -> np.ndarray:
    """Whose values are all zero or missing: bool (samples,)."""
    return np.concatenate([(np.nan_to_num(values[rows]) == 0).all(axis=1) for rows in blocks(values)])


def blocks(values: np.ndarray) -> Iterator[slice]:
    """Slices of samples, so that what is computed beside the values stays small."""
    rows = max(1, VALUES // max(1, values.shape[1]))
    return (slice(start, start + rows) for start in range(0, len(values), rows))
