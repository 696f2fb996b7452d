"""Retrieval: how often a sample's other view is among the k nearest of all samples."""

import torch
from torch import Tensor
from torch.nn import functional

RANKS = (1, 5, 10)
CHUNK = 4096  # queries at a time


def retrieval(queries: Tensor, targets: Tensor) -> dict[int, float]:
    """Share of queries (samples, width) whose own target is among the k nearest by cosine, for k = 1, 5, 10.

    Ties, and what is no number, count against the query: a collapsed embedding does not look perfect.
    Chance is k / samples.
    """
    queries, targets = functional.normalize(queries, dim=1), functional.normalize(targets, dim=1)
    ranks = []
    for start in range(0, len(queries), CHUNK):
        similarity = queries[start : start + CHUNK] @ targets.T
        own = similarity.diagonal(start)[:, None]
        ranks.append((~(similarity < own)).sum(dim=1))
    rank = torch.cat(ranks)
    return {k: float((rank <= k).double().mean()) for k in RANKS}


def chance(samples: int) -> dict[int, float]:
    """What guessing reaches among `samples`."""
    return {k: min(1.0, k / samples) for k in RANKS}
