"""Several processes, one batch: each has a share of the samples, all see everyone's embeddings."""

import torch
from torch import Tensor, distributed


def world() -> int:
    """How many processes train together; 1 without torch.distributed."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is."""
    return distributed.get_rank() if world() > 1 else 0


def gathered(values: Tensor) -> Tensor:
    """The rows of all processes, in their order; gradients flow back to the process that a row came from.

    Each process computes the whole loss of the whole batch, so the gradients that come back are summed over processes
    and, when they are averaged over parameters, equal those of one process with the whole batch. All processes must
    supply equally many rows.
    """
    if world() == 1:
        return values
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(values.contiguous()))


def total(count: int, device: torch.device) -> int:
    """The sum of a count over all processes."""
    if world() == 1:
        return count
    summed = torch.tensor(count, device=device)
    distributed.all_reduce(summed)
    return int(summed)


def gathered_lists(part: list) -> list:
    """The lists of all processes, one after another; without gradients."""
    if world() == 1:
        return part
    parts: list[list] = [[] for _ in range(world())]
    distributed.all_gather_object(parts, part)
    return [one for each in parts for one in each]
