"""KING-robust of every pair of samples, as products of whole numbers (Manichaikul et al. 2010)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from contigwas.genotypes.packed import ABSENTS, HETS, HOMOZYGOTES, Packed

TILE = 2048  # samples by samples, compared at a time
PART = 4096  # bytes of packed calls multiplied at a time
PAIR_BYTES = 2**24  # packed calls of pairs looked at one by one, at a time


def pairs_above(packed: Packed, min_kinship: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs with a kinship above `min_kinship`: positions of both, the earlier first (int64), kinship (float64).

    Kinship is 1/2 - Σ(g_i - g_j)² / (4 min(het_i, het_j)) over the variants called in both. With x = g - 1, and 0 where
    not called, one product of int8 matrices gives every pair's Σ(x_i - x_j)², exact where nothing is missing. A call
    that one of a pair misses can have added 1 to it at most; so the pairs that might pass the limit are known from how
    many calls each sample misses, and they alone are counted once more, call by call, over what both have. Nothing is
    approximate. A sample without a heterozygous call has no kinship. Memory: `packed`, two tiles of int8
    (2,048 x 16,384) and a few of 2,048 x 2,048 numbers. Time: samples² x variants / 2 products.
    """
    samples = len(packed.bytes)
    homozygous, hets, absent = (packed.totals(table) for table in (HOMOZYGOTES, HETS, ABSENTS))
    counts = _Counts(homozygous, hets, absent - packed.padding)
    found = []
    starts = range(0, samples, TILE)
    tiles = [(one, other) for one in starts for other in starts if other >= one]
    for one, other in tqdm(tiles, desc="kinship", unit="tile", disable=None):
        mine, theirs = (slice(start, min(start + TILE, samples)) for start in (one, other))
        distance = _distances(packed, counts.homozygous, mine, theirs)
        first, second = _possible(distance, counts, mine, theirs, min_kinship)
        if one == other:
            later = second > first
            first, second = first[later], second[later]
        distances = distance[first, second].astype(np.int64)
        first, second = first + one, second + other
        found.extend(_settle(packed, counts, first, second, distances, min_kinship))
    order = np.lexsort((np.concatenate([part[1] for part in found]), np.concatenate([part[0] for part in found])))
    one, other, values = (np.concatenate(parts)[order] for parts in zip(*found, strict=True))
    return one, other, values


@dataclass(frozen=True)
class _Counts:
    """Calls of each sample that are homozygous, heterozygous and absent: int32 (samples,)."""

    homozygous: np.ndarray
    hets: np.ndarray
    absent: np.ndarray


def _distances(packed: Packed, homozygous: np.ndarray, mine: slice, theirs: slice) -> np.ndarray:
    """Σ(x_i - x_j)² of every pair of two tiles: int32 (mine, theirs)."""
    product = torch.zeros(mine.stop - mine.start, theirs.stop - theirs.start, dtype=torch.int32)
    for start in range(0, packed.bytes.shape[1], PART):
        part = slice(start, start + PART)
        left = torch.from_numpy(packed.centred(mine, part))
        right = left if mine == theirs else torch.from_numpy(packed.centred(theirs, part))
        product += torch._int_mm(left, right.T)
    product *= -2
    product += torch.from_numpy(homozygous[mine, None])
    product += torch.from_numpy(homozygous[theirs])
    return product.numpy()


def _possible(
    distance: np.ndarray, counts: _Counts, mine: slice, theirs: slice, min_kinship: float
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the tiles of the pairs whose kinship may be above the limit once missing calls are left out."""
    least = np.minimum(counts.hets[mine, None], counts.hets[theirs])
    surely = distance - counts.absent[mine, None] - counts.absent[theirs]  # the true sum of squares is no smaller
    return np.nonzero((surely < (2 - 4 * min_kinship) * least) & (least > 0))


def _settle(
    packed: Packed,
    counts: _Counts,
    one: np.ndarray,
    other: np.ndarray,
    distance: np.ndarray,
    min_kinship: float,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The pairs that are above the limit, in chunks, with their kinship."""
    size = max(1, PAIR_BYTES // max(1, packed.bytes.shape[1]))
    for start in range(0, max(1, one.size), size):
        first, second = one[start : start + size], other[start : start + size]
        apart = distance[start : start + size]
        least = np.minimum(counts.hets[first], counts.hets[second]).astype(np.int64)
        missing = np.flatnonzero(counts.absent[first] + counts.absent[second])
        if missing.size:
            apart[missing], least[missing] = _shared(packed, first[missing], second[missing])
        with np.errstate(divide="ignore", invalid="ignore"):
            kinship = 0.5 - apart / (4.0 * least)
        above = (least > 0) & (kinship > min_kinship)
        yield first[above], second[above], kinship[above]


def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Of every two bytes, over calls that both have: Σ(g_i - g_j)² and heterozygotes of the first; uint8 (65536,)."""
    codes = (np.arange(256)[:, None] >> (2 * np.arange(4))) & 3
    first, second = codes[:, None], codes[None, :]
    both = (first < 3) & (second < 3)
    squares = np.where(both, (first - second) ** 2, 0).sum(axis=-1)
    hets = (both & (first == 1)).sum(axis=-1)
    return squares.astype(np.uint8).ravel(), hets.astype(np.uint8).ravel()


SQUARES, SHARED_HETS = _tables()


def _shared(packed: Packed, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ(g_i - g_j)² and the smaller number of heterozygotes over calls that both of each pair have: int64 (pairs,)."""
    first, second = packed.bytes[one].astype(np.uint16), packed.bytes[other].astype(np.uint16)
    forward, backward = first << 8 | second, second << 8 | first
    hets = [SHARED_HETS[index].sum(axis=1, dtype=np.int64) for index in (forward, backward)]
    return SQUARES[forward].sum(axis=1, dtype=np.int64), np.minimum(*hets)
