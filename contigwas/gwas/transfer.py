"""Copies of genotype blocks to the device that tests them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from contigwas.gwas.variants import Block


@dataclass(frozen=True)
class DeviceBlock:
    """A `Block` on the device, with `dosages` transposed to (B, samples); `x_linked` is bool (B,)."""

    places: np.ndarray
    dosages: torch.Tensor
    x_linked: torch.Tensor


def copy_to_device(blocks: Iterable[Block], device: torch.device) -> Iterator[DeviceBlock]:
    """Yield the blocks on `device`, one by one.

    For a GPU, hard calls are copied as int8 from two pinned buffers on a separate stream, so that the next block is
    copied while this one is tested. On the CPU nothing is copied.
    """
    if device.type != "cuda":
        for block in blocks:
            yield DeviceBlock(block.places, torch.from_numpy(block.dosages.T), torch.from_numpy(block.x_linked))
        return
    stream = torch.cuda.Stream(device)
    pinned: list[torch.Tensor | None] = [None, None]
    copied: list[torch.cuda.Event | None] = [None, None]
    copying = None
    for number, block in enumerate(blocks):
        source, slot = torch.from_numpy(block.dosages.T), number % 2
        if copied[slot] is not None:
            copied[slot].synchronize()  # the previous copy from this buffer may still run
        buffer = pinned[slot]
        if buffer is None or len(buffer) < len(source):
            buffer = pinned[slot] = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        buffer = buffer[: len(source)].copy_(source)
        with torch.cuda.stream(stream):
            on_device = DeviceBlock(
                block.places,
                buffer.to(device, non_blocking=True),
                torch.from_numpy(block.x_linked).to(device),
            )
            copied[slot] = stream.record_event()
        if copying is not None:
            yield _wait_for_copy(*copying, device)
        copying = on_device, copied[slot]
    if copying is not None:
        yield _wait_for_copy(*copying, device)


def _wait_for_copy(on_device: DeviceBlock, event: torch.cuda.Event, device: torch.device) -> DeviceBlock:
    """Make the current stream wait for the copy of a block, and return the block."""
    current = torch.cuda.current_stream(device)
    current.wait_event(event)
    on_device.dosages.record_stream(current)
    on_device.x_linked.record_stream(current)
    return on_device
