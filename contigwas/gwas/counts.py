"""Genotype counts of a block of variants: exact for hard calls, on any device."""

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
        alleles: copies of the effect allele, float64 (B,). Equal to `total`, except that a dosage of 2 of a male on X
            counts as one allele.
        chromosomes: chromosomes with a call, int64 (B,): two per sample, one per male on X.
    """

    called: torch.Tensor
    total: torch.Tensor
    squares: torch.Tensor
    alleles: torch.Tensor
    chromosomes: torch.Tensor

    @property
    def eaf(self) -> torch.Tensor:
        """Frequency of the effect allele, float64 (B,); NaN for a variant without calls."""
        return self.alleles / self.chromosomes

    @property
    def info(self) -> torch.Tensor:
        """MaCH r2: variance of the dosages divided by that under Hardy-Weinberg proportions, float64 (B,)."""
        mean = self.total / self.called
        variance = self.squares / self.called - mean**2
        males = 2 * self.called - self.chromosomes
        return variance / (self.eaf * (1 - self.eaf) * 2 * (1 + males / self.called))


def count(
    block: torch.Tensor, males: torch.Tensor | None = None, x_linked: torch.Tensor | None = None
) -> tuple[Counts, torch.Tensor, torch.Tensor]:
    """Return the counts of a block (B, samples) and the positions of its missing calls.

    The positions are row numbers and sample numbers, both int64 (missing calls,), sorted by row. The block holds int8
    hard calls (negative is missing) or float32 dosages (NaN is missing). `males`, bool (samples,), and `x_linked`,
    bool (B,), mark the calls where a dosage of 2 is one allele.
    """
    variant, sample = _missing_calls(block)
    n_missing = torch.bincount(variant, minlength=len(block))
    called = block.shape[1] - n_missing
    if block.is_floating_point():
        values = block.nan_to_num(0.0)
        total = values.sum(1, dtype=torch.float64)
        squares = torch.stack([row.double().square().sum() for row in values]) if len(values) else total
    else:
        carriers, homozygotes = _carriers(block, n_missing)
        total, squares = (carriers + homozygotes).double(), (carriers + 3 * homozygotes).double()
    alleles, chromosomes = total, 2 * called
    if x_linked is not None and males is not None and x_linked.any():
        male_block = block[:, males]
        male_calls = (male_block >= 0).sum(1)
        copies = (
            (male_block.nan_to_num(0.0) if male_block.is_floating_point() else male_block.clamp(min=0)).sum(1).double()
        )
        alleles = torch.where(x_linked, total - copies / 2, total)
        chromosomes = torch.where(x_linked, chromosomes - male_calls, chromosomes)
    return Counts(called, total, squares, alleles, chromosomes), variant, sample


def _missing_calls(block: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the row numbers and the sample numbers of the missing calls."""
    if block.device.type != "cpu":
        return torch.nonzero(block.isnan() if block.is_floating_point() else block < 0, as_tuple=True)
    values = block.numpy()  # several times faster than torch on the CPU
    if not block.is_floating_point() and (not values.size or values.min() >= 0):
        empty = torch.zeros(0, dtype=torch.int64)
        return empty, empty
    missing = np.isnan(values) if block.is_floating_point() else values < 0
    positions = torch.from_numpy(np.flatnonzero(missing))
    variant = positions // max(block.shape[1], 1)
    return variant, positions - variant * block.shape[1]


def _carriers(block: torch.Tensor, n_missing: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Count the samples with at least one effect allele, and those with two: two int64 (B,) tensors.

    The block holds int8 calls; `n_missing` (B,) is the number of missing calls in each row.
    """
    if block.device.type != "cpu":
        return (block > 0).sum(1), (block == 2).sum(1)
    # Eight calls at a time. A call of 1 or 2 sets one bit of its byte. A missing call, -127, sets two bits, and neither
    # of them is the bit of value 2.
    values = block.numpy()
    n_aligned = values.shape[1] // 8 * 8
    words, rest = values[:, :n_aligned].view(np.uint64), values[:, n_aligned:]
    carriers = np.bitwise_count(words).sum(axis=1, dtype=np.int64) + (rest > 0).sum(axis=1)
    homozygotes = np.bitwise_count(words & np.uint64(0x0202020202020202)).sum(axis=1, dtype=np.int64) + (rest == 2).sum(
        axis=1
    )
    missing_in_words = n_missing.numpy() - (rest < 0).sum(axis=1)
    return torch.from_numpy(carriers - 2 * missing_in_words), torch.from_numpy(homozygotes)
