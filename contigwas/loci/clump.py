"""Clumping of significant variants, identical to plink1.9 --clump."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Thresholds:
    """When a variant leads a clump (p1), is listed with it (p2), and is claimed by it (r2, kb); valid by the schema."""

    p1: float
    p2: float
    r2: float
    kb: float


@dataclass(frozen=True)
class Clump:
    """A lead variant and what it claimed. All are positions in the arrays given to `clump`.

    index: the lead variant. claimed: the others of the clump, ascending. listed: those of `claimed` with p < p2.
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
    """Clumps of one chromosome, the most significant first.

    `log10p` (variants,) is -log10 p, NaN where the variant was not tested; `pos` base pairs; `order` breaks ties of p
    (the order of the .bim; by default that of the arrays). Variants with p <= p1 lead in order of p unless already
    claimed; each claims every unclaimed tested variant less than kb away whose haplotype r2 with it is above r2.
    `r2(index, others)` gives those; it is asked only for the window around each lead.
    """
    order = np.arange(len(log10p)) if order is None else order
    tested = np.flatnonzero(~np.isnan(log10p))
    tested = tested[np.argsort(pos[tested], kind="stable")]
    places = pos[tested].astype(np.int64)
    free = ~np.isnan(log10p)
    leads = np.flatnonzero(log10p >= threshold(thresholds.p1, log10p))
    leads = leads[np.lexsort((order[leads], -log10p[leads]))]
    lists = threshold(thresholds.p2, log10p)
    clumps = []
    for lead in leads:
        if not free[lead]:
            continue
        free[lead] = False
        reach = thresholds.kb * 1000
        first = np.searchsorted(places, pos[lead] - reach, side="right")
        last = np.searchsorted(places, pos[lead] + reach, side="left")
        window = np.sort(tested[first:last])
        window = window[free[window]]
        claimed = window[r2(int(lead), window) > thresholds.r2]  # NaN is never above
        free[claimed] = False
        clumps.append(Clump(int(lead), claimed, claimed[log10p[claimed] > lists]))
    return clumps


def threshold(p: float, log10p: np.ndarray) -> np.floating:
    """-log10 of a threshold in the precision of the column, so that a p equal to it compares as equal."""
    return log10p.dtype.type(-np.log10(p))
