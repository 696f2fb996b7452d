"""The rare alleles of everyone at some variants, and what they come to in each set of variants."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from contigwas.genotypes.interface import Genotypes
from contigwas.tables.anndata_io import MISSING

BLOCK_BYTES = 2**24  # of a block of int8 calls; two are in memory


@dataclass(frozen=True)
class Rare:
    """The calls of some variants.

    frequency: float64 (variants,), of the alternate allele among the called, NaN where nobody is; alleles, missing:
    int64 (variants,), alternate alleles of the called, and samples not called; dosages: int8 CSC (samples, variants),
    nonzero calls of the rare variants, nothing for the others.
    """

    frequency: np.ndarray
    alleles: np.ndarray
    missing: np.ndarray
    dosages: sparse.csc_array


def read_rare(
    bed: Genotypes, variants: np.ndarray, samples: np.ndarray, max_aaf: float, given: np.ndarray | None = None
) -> Rare:
    """Read `variants` (positions in `bed.variants`) for `samples` (positions in `bed.samples`), block by block.

    The alternate allele is the effect allele of the reader. A frequency equal to `max_aaf` is rare; `given` (variants,)
    are frequencies that decide instead of those among these samples, and none where NaN. Only calls of rare alleles
    stay in memory.
    """
    frequency, alleles, missing = [], [], []
    counts, samples, values = [], [], []
    start = 0
    for calls in _blocks(bed, variants, samples):
        absent = np.count_nonzero(calls == MISSING, axis=1)
        carried = np.count_nonzero(calls == 1, axis=1) + 2 * np.count_nonzero(calls == 2, axis=1)
        called = calls.shape[1] - absent
        part = np.divide(carried, 2 * called, out=np.full(called.size, np.nan), where=called > 0)
        rare = np.flatnonzero((part if given is None else given[start : start + called.size]) <= max_aaf)
        row, carrier = _carriers(calls[rare] if rare.size < called.size else calls)
        frequency.append(part)
        alleles.append(carried)
        missing.append(absent)
        counts.append(np.bincount(rare[row], minlength=called.size))
        samples.append(carrier.astype(np.int32))
        values.append(calls[rare[row], carrier])
        start += called.size
    if not frequency:
        nothing = np.zeros(0, np.int64)
        return Rare(np.zeros(0), nothing, nothing, sparse.csc_array((samples.size, 0), dtype=np.int8))
    ends = np.cumsum(np.concatenate([[0], *counts]))
    dosages = sparse.csc_array(
        (np.concatenate(values), np.concatenate(samples), ends), shape=(samples.size, variants.size)
    )
    return Rare(np.concatenate(frequency), np.concatenate(alleles), np.concatenate(missing), dosages)


def _carriers(calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where calls (variants, samples), C order, are 1 or 2. Eight calls are looked at at a time: few are."""
    flat = calls.reshape(-1)
    whole = flat.size // 8 * 8
    filled = np.flatnonzero(flat[:whole].view(np.uint64) != 0)
    places = np.r_[(filled[:, None] * 8 + np.arange(8)).ravel(), np.arange(whole, flat.size)]
    return np.divmod(places[flat[places] > 0], calls.shape[1])


def _blocks(bed: Genotypes, variants: np.ndarray, samples: np.ndarray) -> Iterator[np.ndarray]:
    """Calls (variants, samples), C order."""
    size = max(1, min(1024, BLOCK_BYTES // max(samples.size, 1)))
    for _, block in bed.blocks(variants, samples, size):
        yield block.T


def collapse(
    dosages: sparse.csc_array, columns: np.ndarray, features: np.ndarray, count: int, statistic: str
) -> sparse.csc_array:
    """One number for every sample and set of variants: int32 CSC (samples, count).

    `columns` and `features` are pairs, each once: this column of `dosages` (samples, variants; 1 or 2 where stored)
    belongs to this set. `statistic`: `sum` of the alleles, `comphet` (the sum, at most 2), `max` (the most at one
    variant) or `binary` (1 for any).
    """
    pairs = (np.ones(len(columns), np.int32), (columns, features))
    sets = sparse.csc_array(pairs, shape=(dosages.shape[1], count))
    if statistic == "max":
        # a sample has 1 with any allele, and 2 with two of them at one variant
        twice = _with(dosages, (dosages.data == 2).astype(np.int32))
        twice.eliminate_zeros()
        return (_any(dosages, sets) + _any(twice, sets)).tocsc()
    if statistic == "binary":
        return _any(dosages, sets)
    total = (_with(dosages, dosages.data.astype(np.int32)) @ sets).tocsc()
    if statistic == "comphet":
        total.data = np.minimum(total.data, 2)
    return total


def _any(dosages: sparse.csc_array, sets: sparse.csc_array) -> sparse.csc_array:
    """1 where a sample has any entry in a set."""
    found = (_with(dosages, np.ones(dosages.nnz, np.int32)) @ sets).tocsc()
    found.data[:] = 1
    return found


def _with(matrix: sparse.csc_array, data: np.ndarray) -> sparse.csc_array:
    """A matrix of the same pattern with other data; the pattern is not shared, so either may be changed."""
    return sparse.csc_array((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
