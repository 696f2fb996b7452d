"""Sums over samples of a block of genotypes: exact for hard calls, on any device."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Counts:
    """Sums over the samples of a block of B variants.

    Attributes:
        called: samples with a call, int64 (B,).
        total: sum of their dosages, float64 (B,).
        squares: sum of their squared dosages, float64 (B,).
        alleles: copies of the effect allele that were seen, float64 (B,): `total`, but one for a man's 2 on X.
        chromosomes: copies of the variant that were called, int64 (B,): two a sample, one a man on X.
    """

    called: torch.Tensor
    total: torch.Tensor
    squares: torch.Tensor
    alleles: torch.Tensor
    chromosomes: torch.Tensor

    @property
    def eaf(self) -> torch.Tensor:
        """Frequency of the effect allele, float64 (B,); NaN without calls."""
        return self.alleles / self.chromosomes

    @property
    def info(self) -> torch.Tensor:
        """MaCH's r2: variance of the dosages over what Hardy-Weinberg proportions give, float64 (B,)."""
        mean = self.total / self.called
        variance = self.squares / self.called - mean**2
        males = 2 * self.called - self.chromosomes
        return variance / (self.eaf * (1 - self.eaf) * 2 * (1 + males / self.called))


def count(
    block: torch.Tensor, males: torch.Tensor | None = None, x_linked: torch.Tensor | None = None
) -> tuple[Counts, torch.Tensor, torch.Tensor]:
    """Counts of a block (B, samples), and where calls are missing: rows and samples, int64 (missing calls,), by row.

    The block is int8 (missing below 0) or float32 dosages (missing NaN). `males` (samples,) and `x_linked` (B,), both
    bool, tell where a dosage of 2 is one allele.
    """
    variant, sample = _absent(block)
    lost = torch.bincount(variant, minlength=len(block))
    called = block.shape[1] - lost
    if block.is_floating_point():
        values = block.nan_to_num(0.0)
        total = values.sum(1, dtype=torch.float64)
        squares = torch.stack([row.double().square().sum() for row in values]) if len(values) else total
    else:
        some, two = _carriers(block, lost)
        total, squares = (some + two).double(), (some + 3 * two).double()
    alleles, chromosomes = total, 2 * called
    if x_linked is not None and males is not None and x_linked.any():
        theirs = block[:, males]
        there = (theirs >= 0).sum(1)
        copies = (theirs.nan_to_num(0.0) if theirs.is_floating_point() else theirs.clamp(min=0)).sum(1).double()
        alleles = torch.where(x_linked, total - copies / 2, total)
        chromosomes = torch.where(x_linked, chromosomes - there, chromosomes)
    return Counts(called, total, squares, alleles, chromosomes), variant, sample


def _absent(block: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and samples of the missing calls."""
    if block.device.type != "cpu":
        return torch.nonzero(block.isnan() if block.is_floating_point() else block < 0, as_tuple=True)
    values = block.numpy()  # which is several times faster here
    if not block.is_floating_point() and (not values.size or values.min() >= 0):
        nothing = torch.zeros(0, dtype=torch.int64)
        return nothing, nothing
    absent = np.isnan(values) if block.is_floating_point() else values < 0
    places = torch.from_numpy(np.flatnonzero(absent))
    variant = places // max(block.shape[1], 1)
    return variant, places - variant * block.shape[1]


def _carriers(block: torch.Tensor, lost: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples with one allele or two, and samples with two, int64 (B,), of int8 calls with `lost` missing ones a row."""
    if block.device.type != "cpu":
        return (block > 0).sum(1), (block == 2).sum(1)
    # A call is one bit, of value 1 or 2; a missing one, -127, has two, of neither value 2. Eight calls at a time.
    values = block.numpy()
    whole = values.shape[1] // 8 * 8
    words, rest = values[:, :whole].view(np.uint64), values[:, whole:]
    some = np.bitwise_count(words).sum(axis=1, dtype=np.int64) + (rest > 0).sum(axis=1)
    two = np.bitwise_count(words & np.uint64(0x0202020202020202)).sum(axis=1, dtype=np.int64) + (rest == 2).sum(axis=1)
    missing = lost.numpy() - (rest < 0).sum(axis=1)
    return torch.from_numpy(some - 2 * missing), torch.from_numpy(two)
