"""Training in several processes: each holds a share of every batch and gathers the embeddings of all."""

import torch
from torch import Tensor, distributed


def world_size() -> int:
    """Return the number of processes that train together; 1 without torch.distributed."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Return the index of this process."""
    return distributed.get_rank() if world_size() > 1 else 0


def gather_rows(values: Tensor) -> Tensor:
    """Return the rows of all processes in their order; gradients flow back to the process that supplied a row.

    Each process computes the loss of the whole batch. The gradients of a row are summed over processes; averaging them
    over processes gives the gradients of a single process with the whole batch. All processes must supply the same
    number of rows.
    """
    if world_size() == 1:
        return values
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(values.contiguous()))


def sum_over_processes(count: int, device: torch.device) -> int:
    """Return the sum of `count` over all processes."""
    if world_size() == 1:
        return count
    summed = torch.tensor(count, device=device)
    distributed.all_reduce(summed)
    return int(summed)


def gather_lists(part: list) -> list:
    """Return the concatenated lists of all processes, without gradients."""
    if world_size() == 1:
        return part
    parts: list[list] = [[] for _ in range(world_size())]
    distributed.all_gather_object(parts, part)
    return [one for each in parts for one in each]
