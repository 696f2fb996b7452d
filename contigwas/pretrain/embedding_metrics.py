"""How good a space of embeddings is, without labels: alignment, uniformity and effective rank."""

import torch
from torch import Tensor
from torch.nn import functional

AT_MOST = 2048  # samples, evenly spread, that a figure of an epoch is taken over: more would say no more


def alignment(first: Tensor, second: Tensor) -> float:
    """Mean squared distance of the normalised sides (samples, width) of a sample: 0 is best, 2 is no relation.

    Wang and Isola, ICML 2020, with the exponent 2.
    """
    first, second = spread(first), spread(second)
    apart = functional.normalize(first.float(), dim=1) - functional.normalize(second.float(), dim=1)
    return float(apart.square().sum(dim=1).mean())


def uniformity(values: Tensor) -> float:
    """Log of the mean of exp(-2 d²) over pairs of samples, d between normalised rows: near -4 if even, 0 if collapsed.

    Wang and Isola, ICML 2020, with t = 2.
    """
    distances = torch.pdist(functional.normalize(spread(values).float(), dim=1))
    return float(torch.logsumexp(-2 * distances.square(), 0) - torch.tensor(float(len(distances))).log())


def rank_me(features: Tensor) -> float:
    """RankMe: exp of the entropy of the singular values of `features` (samples, features): how many dimensions it uses.

    Garrido et al., ICML 2023. NaN where the features hold no finite number.
    """
    features = spread(features)
    if not bool(features.isfinite().all()):
        return float("nan")
    values = torch.linalg.svdvals(features.double())
    share = values / values.sum().clamp(min=1e-300) + 1e-7
    return float((-(share * share.log()).sum()).exp())


def spread(values: Tensor) -> Tensor:
    """All rows, or `AT_MOST` evenly spread ones."""
    if len(values) <= AT_MOST:
        return values
    return values[torch.linspace(0, len(values) - 1, AT_MOST, device=values.device).round().long()]
