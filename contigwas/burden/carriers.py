"""The rare alleles of everyone at some variants, and the most of them in each set of variants."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from contigwas.genotypes.interface import Genotypes
from contigwas.modality import MISSING

BLOCK_BYTES = 2**28  # of a block of int8 calls


@dataclass(frozen=True)
class Rare:
    """The calls of some variants.

    frequency: float64 (variants,), of the alternate allele among the called, NaN where nobody is; missing: int64
    (variants,), people not called; dosages: int8 CSC (people, variants), nonzero calls of the variants whose
    frequency is at most the limit, nothing for the others.
    """

    frequency: np.ndarray
    missing: np.ndarray
    dosages: sparse.csc_array


def read_rare(bed: Genotypes, variants: np.ndarray, people: np.ndarray, max_aaf: float) -> Rare:
    """Read `variants` (positions in `bed.variants`) for `people` (positions in `bed.people`), block by block.

    The alternate allele is the effect allele of the reader. A frequency equal to `max_aaf` is rare. Only calls of rare
    alleles stay in memory.
    """
    frequency, missing = [], []
    counts, persons, values = [], [], []
    for calls in _blocks(bed, variants, people):
        absent = np.count_nonzero(calls == MISSING, axis=1)
        alleles = np.count_nonzero(calls == 1, axis=1) + 2 * np.count_nonzero(calls == 2, axis=1)
        called = calls.shape[1] - absent
        part = np.divide(alleles, 2 * called, out=np.full(called.size, np.nan), where=called > 0)
        rare = np.flatnonzero(part <= max_aaf)
        row, carrier = np.nonzero(calls[rare] > 0)
        frequency.append(part)
        missing.append(absent)
        counts.append(np.bincount(rare[row], minlength=called.size))
        persons.append(carrier.astype(np.int32))
        values.append(calls[rare[row], carrier])
    if not frequency:
        return Rare(np.zeros(0), np.zeros(0, np.int64), sparse.csc_array((people.size, 0), dtype=np.int8))
    ends = np.cumsum(np.concatenate([[0], *counts]))
    dosages = sparse.csc_array(
        (np.concatenate(values), np.concatenate(persons), ends), shape=(people.size, variants.size)
    )
    return Rare(np.concatenate(frequency), np.concatenate(missing), dosages)


def _blocks(bed: Genotypes, variants: np.ndarray, people: np.ndarray) -> Iterator[np.ndarray]:
    """Calls (variants, people), C order."""
    size = max(1, min(1024, BLOCK_BYTES // max(people.size, 1)))
    for _, block in bed.blocks(variants, people, size):
        yield block.T


def most(dosages: sparse.csc_array, columns: np.ndarray, features: np.ndarray, count: int) -> sparse.csc_array:
    """The most alleles at one variant, for every person and set of variants: int8 CSC (people, count).

    `columns` and `features` are pairs: this column of `dosages` (people, variants) belongs to this set.
    """
    people = dosages.shape[0]
    chosen = dosages[:, columns]
    # One key a (set, person): after sorting by it, what belongs together is adjacent, and a maximum of runs is left.
    key = np.repeat(features.astype(np.int64), np.diff(chosen.indptr)) * people + chosen.indices
    order = np.argsort(key, kind="stable")
    key, value = key[order], chosen.data[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if key.size else np.zeros(0, np.int64)
    value = np.maximum.reduceat(value, starts) if key.size else value
    feature, person = np.divmod(key[starts], people)
    ends = np.searchsorted(feature, np.arange(count + 1))
    return sparse.csc_array((value.astype(np.int8), person.astype(np.int32), ends), shape=(people, count))
