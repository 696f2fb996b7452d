"""Read the rare alleles of all samples, and collapse them over sets of variants."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from contigwas.genotypes.interface import Genotypes
from contigwas.tables.anndata_io import MISSING

BLOCK_BYTES = 2**24  # maximum size of a block of int8 calls; two blocks are in memory


@dataclass(frozen=True)
class RareCalls:
    """Allele counts of variants, and the calls of the rare ones.

    Attributes:
        frequency: float64 (variants,), alternate-allele frequency, NaN without calls.
        alleles: int64 (variants,), number of alternate alleles.
        missing: int64 (variants,), number of missing calls.
        dosages: int8 CSC (samples, variants), nonzero calls of rare variants; empty columns for the others.
    """

    frequency: np.ndarray
    alleles: np.ndarray
    missing: np.ndarray
    dosages: sparse.csc_array


def read_rare(
    genotypes: Genotypes, variants: np.ndarray, samples: np.ndarray, max_aaf: float, given: np.ndarray | None = None
) -> RareCalls:
    """Read `variants` for `samples`, block by block.

    Both are positions in `genotypes.variants` and `genotypes.samples`. The alternate allele is the effect allele of the
    reader. A variant is rare if its frequency is at most `max_aaf`. `given` (variants,) are external frequencies, which
    are used instead of those among the samples; a variant with NaN is not rare. Only calls of rare variants are kept in
    memory.
    """
    frequency, alleles, missing = [], [], []
    counts, carriers, values = [], [], []
    start = 0
    for calls in _blocks(genotypes, variants, samples):
        n_missing = np.count_nonzero(calls == MISSING, axis=1)
        n_alleles = np.count_nonzero(calls == 1, axis=1) + 2 * np.count_nonzero(calls == 2, axis=1)
        called = calls.shape[1] - n_missing
        block_frequency = np.divide(n_alleles, 2 * called, out=np.full(called.size, np.nan), where=called > 0)
        rare = np.flatnonzero((block_frequency if given is None else given[start : start + called.size]) <= max_aaf)
        row, carrier = _carriers(calls[rare] if rare.size < called.size else calls)
        frequency.append(block_frequency)
        alleles.append(n_alleles)
        missing.append(n_missing)
        counts.append(np.bincount(rare[row], minlength=called.size))
        carriers.append(carrier.astype(np.int32))
        values.append(calls[rare[row], carrier])
        start += called.size
    if not frequency:
        empty = np.zeros(0, np.int64)
        return RareCalls(np.zeros(0), empty, empty, sparse.csc_array((samples.size, 0), dtype=np.int8))
    ends = np.cumsum(np.concatenate([[0], *counts]))
    dosages = sparse.csc_array(
        (np.concatenate(values), np.concatenate(carriers), ends), shape=(samples.size, variants.size)
    )
    return RareCalls(np.concatenate(frequency), np.concatenate(alleles), np.concatenate(missing), dosages)


def _carriers(calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of calls (variants, samples), C order, that are 1 or 2.

    Eight calls are compared at a time, because carriers are few.
    """
    flat = calls.reshape(-1)
    full_words = flat.size // 8 * 8
    nonzero_words = np.flatnonzero(flat[:full_words].view(np.uint64) != 0)
    candidates = np.r_[(nonzero_words[:, None] * 8 + np.arange(8)).ravel(), np.arange(full_words, flat.size)]
    return np.divmod(candidates[flat[candidates] > 0], calls.shape[1])


def _blocks(genotypes: Genotypes, variants: np.ndarray, samples: np.ndarray) -> Iterator[np.ndarray]:
    """Yield blocks of calls (variants, samples), C order."""
    size = max(1, min(1024, BLOCK_BYTES // max(samples.size, 1)))
    for _, block in genotypes.blocks(variants, samples, size):
        yield block.T


def collapse(
    dosages: sparse.csc_array, columns: np.ndarray, features: np.ndarray, count: int, statistic: str
) -> sparse.csc_array:
    """Collapse the dosages over sets of variants: int32 CSC (samples, count).

    `columns` and `features` are distinct pairs: a column of `dosages` (samples, variants; stored values are 1 or 2) and
    the set it belongs to. `statistic` is `sum` (number of alleles), `comphet` (the sum, at most 2), `max` (the maximum
    over variants) or `binary` (1 for any allele).
    """
    pairs = (np.ones(len(columns), np.int32), (columns, features))
    sets = sparse.csc_array(pairs, shape=(dosages.shape[1], count))
    if statistic == "max":
        # 1 for any allele, plus 1 for two alleles at the same variant
        homozygous = _with_data(dosages, (dosages.data == 2).astype(np.int32))
        homozygous.eliminate_zeros()
        return (_any(dosages, sets) + _any(homozygous, sets)).tocsc()
    if statistic == "binary":
        return _any(dosages, sets)
    total = (_with_data(dosages, dosages.data.astype(np.int32)) @ sets).tocsc()
    if statistic == "comphet":
        total.data = np.minimum(total.data, 2)
    return total


def _any(dosages: sparse.csc_array, sets: sparse.csc_array) -> sparse.csc_array:
    """Return 1 where a sample has any entry in a set: int32 CSC (samples, sets)."""
    found = (_with_data(dosages, np.ones(dosages.nnz, np.int32)) @ sets).tocsc()
    found.data[:] = 1
    return found


def _with_data(matrix: sparse.csc_array, data: np.ndarray) -> sparse.csc_array:
    """Return a matrix with the same pattern and other data. The index arrays are copied, so both can be modified."""
    return sparse.csc_array((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
