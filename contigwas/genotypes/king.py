"""KING-robust kinship of all pairs of samples with integer matrix products (Manichaikul et al. 2010)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from contigwas.genotypes.packed import HET_COUNTS, HOMOZYGOUS_COUNTS, MISSING_COUNTS, Packed

TILE = 2048  # samples per side of a block of pairs
BYTE_BLOCK = 4096  # bytes of packed calls per sample in one matrix product
PAIR_BYTES = 2**24  # bytes of packed calls in one batch of the exact computation


def pairs_above(packed: Packed, min_kinship: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find all pairs with a kinship above `min_kinship`: positions of both samples (int64) and kinship (float64).

    The first position of a pair is the smaller one. Kinship is 1/2 - Σ(g_i - g_j)² / (4 min(het_i, het_j)) over the
    variants called in both samples. With x = g - 1, and x = 0 where missing, a product of int8 matrices gives
    Σ(x_i - x_j)² of all pairs, which is exact without missing calls. A missing call adds at most 1 to this sum. The
    numbers of missing calls therefore give a lower bound of the distance, which selects candidate pairs. Their kinship
    is then computed exactly over the calls that both samples have. No approximation remains. A pair is skipped if
    either sample has no heterozygous call. Memory: `packed`, two int8 tiles (2,048 x 16,384), and a few arrays of
    2,048 x 2,048. Time: samples² x variants / 2 products.
    """
    samples = len(packed.bytes)
    homozygous, hets, missing_calls = (
        packed.totals(table) for table in (HOMOZYGOUS_COUNTS, HET_COUNTS, MISSING_COUNTS)
    )
    counts = _Counts(homozygous, hets, missing_calls - packed.padding)
    found = []
    starts = range(0, samples, TILE)
    tiles = [(first_start, second_start) for first_start in starts for second_start in starts
             if second_start >= first_start]  # fmt: skip
    for first_start, second_start in tqdm(tiles, desc="kinship", unit="tile", disable=None):
        first_tile, second_tile = (slice(start, min(start + TILE, samples)) for start in (first_start, second_start))
        distance = _distances(packed, counts.homozygous, first_tile, second_tile)
        first, second = _candidate_pairs(distance, counts, first_tile, second_tile, min_kinship)
        if first_start == second_start:
            later = second > first
            first, second = first[later], second[later]
        distances = distance[first, second].astype(np.int64)
        first, second = first + first_start, second + second_start
        found.extend(_exact_pairs(packed, counts, first, second, distances, min_kinship))
    order = np.lexsort(
        (np.concatenate([columns[1] for columns in found]), np.concatenate([columns[0] for columns in found]))
    )
    one, other, values = (np.concatenate(parts)[order] for parts in zip(*found, strict=True))
    return one, other, values


@dataclass(frozen=True)
class _Counts:
    """Numbers of homozygous, heterozygous and missing calls of each sample: int32 (samples,)."""

    homozygous: np.ndarray
    hets: np.ndarray
    missing_calls: np.ndarray


def _distances(packed: Packed, homozygous: np.ndarray, first_tile: slice, second_tile: slice) -> np.ndarray:
    """Compute Σ(x_i - x_j)² of every pair of two tiles: int32 (samples of `first_tile`, samples of `second_tile`)."""
    product = torch.zeros(first_tile.stop - first_tile.start, second_tile.stop - second_tile.start, dtype=torch.int32)
    for start in range(0, packed.bytes.shape[1], BYTE_BLOCK):
        columns = slice(start, start + BYTE_BLOCK)
        left = torch.from_numpy(packed.centred(first_tile, columns))
        right = left if first_tile == second_tile else torch.from_numpy(packed.centred(second_tile, columns))
        product += torch._int_mm(left, right.T)
    product *= -2
    product += torch.from_numpy(homozygous[first_tile, None])
    product += torch.from_numpy(homozygous[second_tile])
    return product.numpy()


def _candidate_pairs(
    distance: np.ndarray, counts: _Counts, first_tile: slice, second_tile: slice, min_kinship: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions in both tiles of the pairs whose kinship may exceed the limit without the missing calls."""
    min_hets = np.minimum(counts.hets[first_tile, None], counts.hets[second_tile])
    # each missing call adds at most 1 to the distance over the calls of both samples
    min_distance = distance - counts.missing_calls[first_tile, None] - counts.missing_calls[second_tile]
    return np.nonzero((min_distance < (2 - 4 * min_kinship) * min_hets) & (min_hets > 0))


def _exact_pairs(
    packed: Packed,
    counts: _Counts,
    one: np.ndarray,
    other: np.ndarray,
    distance: np.ndarray,
    min_kinship: float,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Compute the exact kinship of candidate pairs, and yield those above `min_kinship` in batches."""
    size = max(1, PAIR_BYTES // max(1, packed.bytes.shape[1]))
    for start in range(0, max(1, one.size), size):
        first, second = one[start : start + size], other[start : start + size]
        distances = distance[start : start + size]
        min_hets = np.minimum(counts.hets[first], counts.hets[second]).astype(np.int64)
        missing = np.flatnonzero(counts.missing_calls[first] + counts.missing_calls[second])
        if missing.size:
            distances[missing], min_hets[missing] = _complete_pair_counts(packed, first[missing], second[missing])
        with np.errstate(divide="ignore", invalid="ignore"):
            kinship = 0.5 - distances / (4.0 * min_hets)
        above = (min_hets > 0) & (kinship > min_kinship)
        yield first[above], second[above], kinship[above]


def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Return tables for all pairs of bytes, over the calls present in both: uint8 (65536,).

    The first table is Σ(g_i - g_j)², the second the number of heterozygous calls in the first byte.
    """
    codes = (np.arange(256)[:, None] >> (2 * np.arange(4))) & 3
    first, second = codes[:, None], codes[None, :]
    both = (first < 3) & (second < 3)
    squares = np.where(both, (first - second) ** 2, 0).sum(axis=-1)
    hets = (both & (first == 1)).sum(axis=-1)
    return squares.astype(np.uint8).ravel(), hets.astype(np.uint8).ravel()


SQUARES, SHARED_HETS = _tables()


def _complete_pair_counts(packed: Packed, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute Σ(g_i - g_j)² and min(het_i, het_j) over the calls that both samples of a pair have: int64 (pairs,)."""
    first, second = packed.bytes[one].astype(np.uint16), packed.bytes[other].astype(np.uint16)
    forward, backward = first << 8 | second, second << 8 | first
    hets = [SHARED_HETS[index].sum(axis=1, dtype=np.int64) for index in (forward, backward)]
    return SQUARES[forward].sum(axis=1, dtype=np.int64), np.minimum(*hets)
