"""Retrieval: how often a person's other view is among the k nearest of all people."""

from torch import Tensor
from torch.nn import functional

RANKS = (1, 5, 10)


def retrieval(queries: Tensor, targets: Tensor) -> dict[int, float]:
    """Share of queries (people, width) whose own target is among the k nearest by cosine, for k = 1, 5, 10.

    Ties count against the query, so that a collapsed embedding does not look perfect. Chance is k / people.
    """
    similarity = functional.normalize(queries, dim=1) @ functional.normalize(targets, dim=1).T
    own = similarity.diagonal()[:, None]
    rank = (similarity >= own).sum(dim=1)
    return {k: float((rank <= k).double().mean()) for k in RANKS}


def chance(people: int) -> dict[int, float]:
    """What guessing reaches among `people`."""
    return {k: min(1.0, k / people) for k in RANKS}
