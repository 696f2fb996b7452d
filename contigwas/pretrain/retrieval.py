"""Retrieval recall@k between two embeddings of the same samples."""

import torch
from torch import Tensor
from torch.nn import functional

RANKS = (1, 5, 10)
CHUNK = 4096  # queries at a time


def retrieval(queries: Tensor, targets: Tensor) -> dict[int, float]:
    """Return recall@k for k = 1, 5, 10: the share of queries whose own target is among the k nearest by cosine.

    Queries and targets are (samples, width), in the same order. Ties and non-finite values count against the query, so
    that a collapsed embedding has no recall. The recall of random guesses is k / samples.
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
    """Return the recall@k of random guesses among `samples`."""
    return {k: min(1.0, k / samples) for k in RANKS}
