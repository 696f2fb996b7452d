"""Clumping of significant variants, identical to plink1.9 --clump."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Thresholds:
    """Clumping thresholds, as in plink1.9.

    Attributes:
        p1: maximum p-value of a lead variant (--clump-p1).
        p2: maximum p-value of a clumped variant that is listed (--clump-p2).
        r2: minimum r2 with the lead variant (--clump-r2).
        kb: maximum distance from the lead variant in kilobases (--clump-kb).

    The config check validates the values.
    """

    p1: float
    p2: float
    r2: float
    kb: float


@dataclass(frozen=True)
class Clump:
    """A clump; all variants are positions in the arrays given to `clump`.

    Attributes:
        index: the lead variant.
        claimed: the other variants of the clump, ascending int64.
        listed: the variants of `claimed` with p < p2.
    """

    index: int
    claimed: np.ndarray
    listed: np.ndarray


def clump(
    log10p: np.ndarray,
    pos: np.ndarray,
    thresholds: Thresholds,
    r2: Callable[[int, np.ndarray], np.ndarray],
    order: np.ndarray | None = None,
) -> list[Clump]:
    """Return the clumps of one chromosome, the most significant first.

    Args:
        log10p: -log10 p (variants,), NaN if a variant was not tested.
        pos: positions in base pairs (variants,).
        thresholds: the clumping thresholds.
        r2: function of a variant and other variants, (others,), that returns their r2. It is called once per lead
            variant, with the unclaimed variants of its window.
        order: breaks ties of p, (variants,); the order of the .bim file. By default the order of the arrays.

    Variants with p <= p1 become lead variants in order of p, unless they are already claimed. A lead variant claims
    every unclaimed tested variant less than kb away with a haplotype r2 above r2.
    """
    order = np.arange(len(log10p)) if order is None else order
    tested = np.flatnonzero(~np.isnan(log10p))
    tested = tested[np.argsort(pos[tested], kind="stable")]
    tested_pos = pos[tested].astype(np.int64)
    unclaimed = ~np.isnan(log10p)
    lead_variants = np.flatnonzero(log10p >= threshold(thresholds.p1, log10p))
    lead_variants = lead_variants[np.lexsort((order[lead_variants], -log10p[lead_variants]))]
    p2_cutoff = threshold(thresholds.p2, log10p)
    clumps = []
    for lead in lead_variants:
        if not unclaimed[lead]:
            continue
        unclaimed[lead] = False
        reach = thresholds.kb * 1000
        first = np.searchsorted(tested_pos, pos[lead] - reach, side="right")
        last = np.searchsorted(tested_pos, pos[lead] + reach, side="left")
        window = np.sort(tested[first:last])
        window = window[unclaimed[window]]
        claimed = window[r2(int(lead), window) > thresholds.r2]  # False for NaN
        unclaimed[claimed] = False
        clumps.append(Clump(int(lead), claimed, claimed[log10p[claimed] > p2_cutoff]))
    return clumps


def threshold(p: float, log10p: np.ndarray) -> np.floating:
    """Return -log10 of `p` in the precision of `log10p`, so that a p-value equal to the threshold compares as equal."""
    return log10p.dtype.type(-np.log10(p))
