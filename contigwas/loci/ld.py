"""Linkage disequilibrium of one variant with many: r2 of maximum-likelihood haplotype frequencies."""

import numpy as np

from contigwas.genotypes.reader import Genotypes
from contigwas.tables.anndata_io import MISSING

MALE = 1  # code in .fam and .psam
BLOCK_GENOTYPES = 2**24  # genotypes that are converted to float32 at a time: 64 MB per array
MIN_D = 2.0**-44  # a smaller |D| is a rounding error and set to 0 (plink1.9 has the same limit)


def joint_counts(index: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Count the samples with dosage i of the index variant and dosage j of each other variant, both called.

    `index` is int8 (samples,) and `block` int8 (samples, variants), -127 for a missing call. Returns float64
    (3, 3, variants).
    """
    ours = np.stack([index == dosage for dosage in range(3)]).astype(np.float32)
    counts = [ours @ (block == dosage).astype(np.float32) for dosage in range(3)]
    return np.stack(counts, axis=1).astype(np.float64)


def haplotype_r2(counts: np.ndarray, single: np.ndarray | None = None) -> np.ndarray:
    """Return r2 of the maximum-likelihood haplotype frequencies of `counts` (3, 3, variants): float64 (variants,).

    `single` (3, 3, variants) counts the samples that carry one haplotype (males on chromosome X). They are called 0 or
    2 and have half the weight.

    Only double heterozygotes have an unknown phase. With h their share of the haplotypes, the share x, 0 <= x <= h, is
    in coupling. The likelihood has its maximum at a root of a cubic in x (Gaunt et al. 2007, BMC Bioinformatics 8:428),
    as in plink1.9 --ld and --clump. The result is NaN if a variant does not vary among the samples called in both.
    """
    phased = np.stack(
        [
            2 * counts[2, 2] + counts[2, 1] + counts[1, 2],
            2 * counts[2, 0] + counts[2, 1] + counts[1, 0],
            2 * counts[0, 2] + counts[0, 1] + counts[1, 2],
            2 * counts[0, 0] + counts[0, 1] + counts[1, 0],
        ]
    )
    if single is not None:
        phased -= np.stack([single[2, 2], single[2, 0], single[0, 2], single[0, 0]])
    total = phased.sum(axis=0) + 2 * counts[1, 1]
    size = np.where(total > 0, total, 1)
    f11, f12, f21, f22 = phased / size
    h = counts[1, 1] / size
    ours, other = (phased[0] + phased[1] + counts[1, 1]) / size, (phased[0] + phased[2] + counts[1, 1]) / size
    varies = (ours > 0) & (ours < 1) & (other > 0) & (other < 1)
    coupling = _most_likely(f11, f12, f21, f22, h)
    d = f11 + coupling - ours * other
    d[np.abs(d) < MIN_D] = 0
    variance = np.where(varies, ours * (1 - ours) * other * (1 - other), 1)
    return np.where(varies, d * d / variance, np.nan)


def _most_likely(f11: np.ndarray, f12: np.ndarray, f21: np.ndarray, f22: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Return the share x in [0, h] of the double heterozygotes' haplotypes in coupling; all arrays (variants,)."""
    roots = _cubic_roots(
        0.5 * (f11 + f22 - f12 - f21 - 3 * h),
        0.5 * (f11 * f22 + f12 * f21 + h * (f12 + f21 - f11 - f22 + h)),
        -0.5 * h * f11 * f22,
    )
    # The ends of the interval are added so that roots just outside need no tolerance.
    candidates = np.stack([np.zeros_like(h), *np.clip(roots, 0, h), h])
    coupled, repelled = (f11 + candidates, f22 + candidates), (f12 + h - candidates, f21 + h - candidates)
    likelihood = _weighted_log(h, coupled[0] * coupled[1] + repelled[0] * repelled[1])
    for weight, frequency in zip((f11, f22, f12, f21), (*coupled, *repelled), strict=True):
        likelihood += _weighted_log(weight, frequency)
    return np.take_along_axis(candidates, likelihood.argmax(axis=0)[None], axis=0)[0]


def _weighted_log(weight: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return weight * log(value): 0 where the weight is 0, -inf where only the value is 0."""
    with np.errstate(divide="ignore"):
        return np.where(weight > 0, weight, 0) * np.log(np.where(weight > 0, value, 1))


def _cubic_roots(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the real roots of x^3 + a x^2 + b x + c (Viete, Cardano): (3, variants).

    A single real root is given three times.
    """
    q = (a * a - 3 * b) / 9
    r = (2 * a**3 - 9 * a * b + 27 * c) / 54
    three = r * r < q**3
    root = np.sqrt(np.where(three, q, 1))
    angle = np.arccos(np.clip(r / root**3, -1, 1))
    turned = np.stack([-2 * root * np.cos((angle + shift) / 3) for shift in (0, 2 * np.pi, -2 * np.pi)])
    big = -np.sign(r) * np.cbrt(np.abs(r) + np.sqrt(np.where(three, 0, r * r - q**3)))
    small = np.where(big != 0, q / np.where(big != 0, big, 1), 0)
    single = big + small
    double = -(big + small) / 2  # the other two roots, which are real (and equal) where r^2 = q^3 up to rounding
    roots = np.where(three, turned, np.stack([single, double, double])) - a / 3
    return roots


class Linkage:
    """r2 between variants of one chromosome, whose genotypes are read in blocks when they are needed."""

    def __init__(
        self, genotypes: Genotypes, variants: np.ndarray, samples: np.ndarray, x_linked: np.ndarray | None = None
    ) -> None:
        """Set the variants and the samples.

        Args:
            genotypes: genotypes of the chromosome.
            variants: rows of `genotypes.variants`; the caller numbers them 0, 1, …
            samples: rows of `genotypes.samples`, of founders.
            x_linked: whether males (sex 1 in `genotypes.samples`) carry one copy, bool (variants,); None: no variant.
        """
        self.genotypes = genotypes
        self.variants = np.asarray(variants)
        self.samples = np.asarray(samples)
        self.x_linked = np.zeros(len(self.variants), bool) if x_linked is None else np.asarray(x_linked)
        self.male = genotypes.samples["sex"].to_numpy()[self.samples] == MALE
        self.size = int(np.clip(BLOCK_GENOTYPES // max(len(self.samples), 1), 16, 4096))

    def __call__(self, index: int, others: np.ndarray) -> np.ndarray:
        """Return the haplotype r2 of variant `index` with each of `others` (numbers of the caller): float64 (others,).

        Between two X-linked variants a male is one haplotype, and heterozygous calls of males are missing (as in
        plink1.9). Between an X-linked and a diploid variant males are left out, because their phase is unknown.
        """
        others = np.asarray(others, dtype=np.int64)
        result = np.empty(len(others))
        alike = self.x_linked[others] == self.x_linked[index]
        for selected, samples, male in (
            (alike, np.arange(len(self.samples)), self.male & self.x_linked[index]),
            (~alike, np.flatnonzero(~self.male), np.zeros(int((~self.male).sum()), bool)),
        ):
            if selected.any():
                result[selected] = self._r2(index, others[selected], samples, male)
        return result

    def _r2(self, index: int, others: np.ndarray, samples: np.ndarray, male: np.ndarray) -> np.ndarray:
        """Return r2 in `samples` (rows of `self.samples`), of which `male`, bool (samples,), carry one haplotype."""
        ours = self.genotypes.read(self.variants[[index]], self.samples[samples])[:, 0]
        usable = (ours != MISSING) & ~(male & (ours == 1))
        ours, male, samples = ours[usable], male[usable], samples[usable]
        parts = []
        for _, block in self.genotypes.blocks(self.variants[others], self.samples[samples], self.size):
            if not male.any():
                parts.append(haplotype_r2(joint_counts(ours, block)))
                continue
            single = joint_counts(ours[male], block[male])
            single[:, 1] = 0
            counts = joint_counts(ours[~male], block[~male]) + single
            parts.append(haplotype_r2(counts, single))
        return np.concatenate(parts)
