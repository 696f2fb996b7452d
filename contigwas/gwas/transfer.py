"""Blocks of genotypes brought to the device that tests them."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch


def on_device(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], device: torch.device
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Yield (positions, dosages (B, people) on `device`) of blocks as `Genotypes.blocks` yields them.

    On a GPU hard calls cross the bus as int8, from two pinned buffers on a stream of their own, so that the next block
    is copied while this one is tested. On the CPU nothing is copied.
    """
    if device.type != "cuda":
        for part, block in blocks:
            yield part, torch.from_numpy(block.T)
        return
    stream = torch.cuda.Stream(device)
    pinned: list[torch.Tensor | None] = [None, None]
    copied: list[torch.cuda.Event | None] = [None, None]
    waiting = None
    for number, (part, block) in enumerate(blocks):
        source, slot = torch.from_numpy(block.T), number % 2
        if copied[slot] is not None:
            copied[slot].synchronize()  # until then the buffer is being read
        buffer = pinned[slot]
        if buffer is None or len(buffer) < len(source) or buffer.dtype != source.dtype:
            buffer = pinned[slot] = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        buffer = buffer[: len(source)].copy_(source)
        with torch.cuda.stream(stream):
            there = buffer.to(device, non_blocking=True)
            copied[slot] = stream.record_event()
        if waiting is not None:
            yield _arrived(*waiting, device)
        waiting = part, there, copied[slot]
    if waiting is not None:
        yield _arrived(*waiting, device)


def _arrived(
    part: np.ndarray, there: torch.Tensor, event: torch.cuda.Event, device: torch.device
) -> tuple[np.ndarray, torch.Tensor]:
    """The block, once the stream that tests waits for its copy."""
    current = torch.cuda.current_stream(device)
    current.wait_event(event)
    there.record_stream(current)
    return part, there
