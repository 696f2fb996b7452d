"""blocks of genotypes moved to the device that tests them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from contigwas.gwas.variants import Block


@dataclass(frozen=True)
class Moved:
    """A `Block` on the device: `dosages` (B, samples), `x_linked` (B,)."""

    places: np.ndarray
    dosages: torch.Tensor
    x_linked: torch.Tensor


def on_device(blocks: Iterable[Block], device: torch.device) -> Iterator[Moved]:
    """Supply blocks to `device` one by one.

    On a GPU hard calls cross the bus as int8, from two pinned buffers on a stream of their own, so that the next block
    is copied while this one is tested. On the CPU nothing is copied.
    """
    if device.type != "cuda":
        for block in blocks:
            yield Moved(block.places, torch.from_numpy(block.dosages.T), torch.from_numpy(block.x_linked))
        return
    stream = torch.cuda.Stream(device)
    pinned: list[torch.Tensor | None] = [None, None]
    copied: list[torch.cuda.Event | None] = [None, None]
    waiting = None
    for number, block in enumerate(blocks):
        source, slot = torch.from_numpy(block.dosages.T), number % 2
        if copied[slot] is not None:
            copied[slot].synchronize()  # until then the buffer is being read
        buffer = pinned[slot]
        if buffer is None or len(buffer) < len(source):
            buffer = pinned[slot] = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        buffer = buffer[: len(source)].copy_(source)
        with torch.cuda.stream(stream):
            moved = Moved(
                block.places,
                buffer.to(device, non_blocking=True),
                torch.from_numpy(block.x_linked).to(device),
            )
            copied[slot] = stream.record_event()
        if waiting is not None:
            yield _arrived(*waiting, device)
        waiting = moved, copied[slot]
    if waiting is not None:
        yield _arrived(*waiting, device)


def _arrived(moved: Moved, event: torch.cuda.Event, device: torch.device) -> Moved:
    """The block, once the stream that tests waits for its copy."""
    current = torch.cuda.current_stream(device)
    current.wait_event(event)
    moved.dosages.record_stream(current)
    moved.x_linked.record_stream(current)
    return moved
