"""The same numbers again: threads, kernels and the noise of the libraries."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Run torch with `threads` threads, Lightning and torch quietly; restore it all after.

    On a CPU the kernels are the deterministic ones. On a GPU they are the fastest, which need not give the same bits.
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    lightning_log = logging.getLogger("lightning.pytorch")
    level = lightning_log.level
    try:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(not torch.cuda.is_available(), warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what it has not written
        lightning_log.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled
        lightning_log.setLevel(level)
