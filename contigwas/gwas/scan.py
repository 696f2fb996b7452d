"""Tests of all blocks of a chromosome, several at a time, with results in order."""

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
from contigwas.gwas.transfer import DeviceBlock, copy_to_device
from contigwas.gwas.variants import Block

MAX_EFFECTS = {"cpu": 2**16, "cuda": 2**24}  # effects (variants x features) computed together: fits into the caches


@dataclass(frozen=True)
class Limits:
    """Minimum minor-allele frequency, and minimum MaCH r2 of dosages, among the tested samples."""

    maf: float
    info: float


@dataclass(frozen=True)
class VariantResults:
    """Results of B variants as arrays.

    Attributes:
        places: numbers of the variants, as in their `Block`.
        eaf, n, flag: frequency of the effect allele, samples with a call, and position in `engine.FLAGS`; (B,).
        numbers: beta, se and log10p, float32 (3, P, B).
        partial_n: samples with a call of the features with missing samples, int64 (partial features, B).
        omnibus: -log10 p of the tests over features, float32 (tests, B).
        rare, badly_imputed: numbers of variants of the block that were left out.
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
) -> Iterator[VariantResults]:
    """Yield the results of the blocks in order, and count every test in `histogram`.

    `males`, bool (samples,), is None if no variant is X-linked. On the CPU `workers` blocks are tested at a time, each
    by one thread, so that the results do not depend on `workers`. On a GPU the blocks are tested one after the other,
    while the next one is copied.
    """
    males_on_device = None if males is None else torch.from_numpy(males).to(tester.device)

    def test_block(block: DeviceBlock) -> list[VariantResults]:
        step = int(np.clip(MAX_EFFECTS[tester.device.type] // max(len(tester.names), 1), 64, 8192))
        starts = range(0, len(block.places), step)
        return [
            _test(block, slice(start, start + step), tester, histogram, limits, males_on_device) for start in starts
        ]

    if tester.device.type != "cpu":
        for block in copy_to_device(blocks, tester.device):
            yield from test_block(block)
        return
    with _one_thread_each(), ThreadPoolExecutor(workers) as pool:
        waiting: deque = deque()
        try:
            for block in copy_to_device(blocks, tester.device):
                waiting.append(pool.submit(test_block, block))
                if len(waiting) > workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let torch use one thread per operation inside the block."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _test(
    block: DeviceBlock, part: slice, tester: Tester, histogram: Histogram, limits: Limits, males: torch.Tensor | None
) -> VariantResults:
    """Test the variants `part` of a block that pass the limits."""
    places, values = block.places[part], block.dosages[part]
    x_linked = None if males is None else block.x_linked[part]
    counted = count(values, males, x_linked)
    common, good = _passing(counted[0], limits, values.is_floating_point())
    kept = common & good
    if not kept.all():
        places, values = places[kept.cpu().numpy()], values[kept]
        x_linked = None if x_linked is None else x_linked[kept]
        counted = count(values, males, x_linked)
    results = tester(values, counted, males, x_linked)
    histogram.add(results.log10p)
    histogram.add(results.omnibus, first=len(tester.names))
    numbers = torch.stack([getattr(results, name).float().T.contiguous() for name in NUMBERS])
    return VariantResults(
        places,
        counted[0].eaf.float().cpu().numpy(),
        counted[0].called.cpu().numpy(),
        results.flag.cpu().numpy(),
        numbers.cpu().numpy(),
        results.partial_n.T.cpu().numpy(),
        results.omnibus.float().T.cpu().numpy(),
        int((~common).sum()),
        int((common & ~good).sum()),
    )


def _passing(counts: Counts, limits: Limits, dosages: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which variants pass the allele frequency, and which the imputation quality (hard calls do)."""
    eaf = counts.eaf
    common = ~(torch.minimum(eaf, 1 - eaf) < limits.maf)
    if limits.maf > 0:
        common &= ~eaf.isnan()
    good = ~(counts.info < limits.info) if dosages else torch.ones_like(common)
    return common, good
