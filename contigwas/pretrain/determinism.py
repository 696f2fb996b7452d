"""Reproducible training: threads, deterministic kernels, and muted warnings."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Run torch with `threads` threads and mute Lightning's messages; restore the former settings at the end.

    On a CPU, the deterministic kernels are used. On a GPU, the fastest kernels are used, which may differ in the last
    bits.
    """
    former = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    lightning_log = logging.getLogger("lightning.pytorch")
    level = lightning_log.level
    try:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(not torch.cuda.is_available(), warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # no code reads uninitialised memory
        lightning_log.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        torch.set_num_threads(former[0])
        torch.use_deterministic_algorithms(former[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled
        lightning_log.setLevel(level)
