"""Blocks of genotypes through the tester, several at a time, in their order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from contigwas.gwas.counts import Counts, count
from contigwas.gwas.output import NUMBERS
from contigwas.gwas.summary import Histogram
from contigwas.gwas.tester import Tester
from contigwas.gwas.transfer import Moved, on_device
from contigwas.gwas.variants import Block

NUMBERS_AT_ONCE = {"cpu": 2**16, "cuda": 2**24}  # effects of variants tested together: what the caches hold


@dataclass(frozen=True)
class Limits:
    """Least minor-allele frequency, and least MaCH r2 of dosages, among the tested samples."""

    maf: float
    info: float


@dataclass(frozen=True)
class Tested:
    """What was found of B variants, as arrays.

    Attributes:
        places: which variants, as in their `Block`.
        eaf, n, flag: frequency of the effect allele, samples called, position in `engine.FLAGS`; (B,).
        numbers: beta, se and log10p, float32 (3, P, B).
        partial_n: samples called of the features that miss samples, int64 (those features, B).
        omnibus: -log10 p of the tests over features, float32 (tests, B).
        rare, badly_imputed: variants of the block that were left out.
    """

    places: np.ndarray
    eaf: np.ndarray
    n: np.ndarray
    flag: np.ndarray
    numbers: np.ndarray
    partial_n: np.ndarray
    omnibus: np.ndarray
    rare: int
    badly_imputed: int


def scan(
    blocks: Iterable[Block],
    tester: Tester,
    histogram: Histogram,
    limits: Limits,
    males: np.ndarray | None = None,
    workers: int = 1,
) -> Iterator[Tested]:
    """Test blocks in their order, and count every test in `histogram`.

    On the CPU `workers` blocks are tested at a time, each by one thread from its first sum to its last p-value: the
    numbers do not depend on how many there are, and no thread waits for another inside a block. On a GPU one block
    after the other is tested, while the next is copied.
    """
    men = None if males is None else torch.from_numpy(males).to(tester.device)

    def work(moved: Moved) -> list[Tested]:
        step = int(np.clip(NUMBERS_AT_ONCE[tester.device.type] // max(len(tester.names), 1), 64, 8192))
        starts = range(0, len(moved.places), step)
        return [_test(moved, slice(start, start + step), tester, histogram, limits, men) for start in starts]

    if tester.device.type != "cpu":
        for moved in on_device(blocks, tester.device):
            yield from work(moved)
        return
    with _one_thread_each(), ThreadPoolExecutor(workers) as pool:
        waiting: deque = deque()
        try:
            for moved in on_device(blocks, tester.device):
                waiting.append(pool.submit(work, moved))
                if len(waiting) > workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _test(
    moved: Moved, part: slice, tester: Tester, histogram: Histogram, limits: Limits, males: torch.Tensor | None
) -> Tested:
    """Test some variants of a block, without those outside the limits."""
    places, values = moved.places[part], moved.dosages[part]
    linked = None if males is None else moved.x_linked[part]
    counted = count(values, males, linked)
    common, good = _passing(counted[0], limits, values.is_floating_point())
    kept = common & good
    if not kept.all():
        places, values = places[kept.cpu().numpy()], values[kept]
        linked = None if linked is None else linked[kept]
        counted = count(values, males, linked)
    found = tester(values, counted, males, linked)
    histogram.add(found.log10p)
    histogram.add(found.omnibus, first=len(tester.names))
    numbers = torch.stack([getattr(found, name).float().T.contiguous() for name in NUMBERS])
    return Tested(
        places,
        counted[0].eaf.float().cpu().numpy(),
        counted[0].called.cpu().numpy(),
        found.flag.cpu().numpy(),
        numbers.cpu().numpy(),
        found.partial_n.T.cpu().numpy(),
        found.omnibus.float().T.cpu().numpy(),
        int((~common).sum()),
        int((common & ~good).sum()),
    )


def _passing(counts: Counts, limits: Limits, dosages: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Which variants are common enough, and which are imputed well enough (hard calls are)."""
    eaf = counts.eaf
    common = ~(torch.minimum(eaf, 1 - eaf) < limits.maf)
    if limits.maf > 0:
        common &= ~eaf.isnan()
    good = ~(counts.info < limits.info) if dosages else torch.ones_like(common)
    return common, good
