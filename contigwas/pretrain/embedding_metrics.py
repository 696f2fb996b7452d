"""Label-free measures of embeddings: alignment, uniformity and effective rank."""

import torch
from torch import Tensor
from torch.nn import functional

MAX_SAMPLES = 2048  # evenly spaced samples that a measure uses: more would not change it noticeably


def alignment(first: Tensor, second: Tensor) -> float:
    """Return the mean squared distance of the two normalised embeddings (samples, width): 0 is best, 2 is no relation.

    Wang and Isola, ICML 2020, with the exponent 2.
    """
    first, second = subsample(first), subsample(second)
    difference = functional.normalize(first.float(), dim=1) - functional.normalize(second.float(), dim=1)
    return float(difference.square().sum(dim=1).mean())


def uniformity(values: Tensor) -> float:
    """Return the log of the mean of exp(-2 d²) over pairs of normalised rows: about -4 if uniform, 0 if collapsed.

    d is the Euclidean distance. Wang and Isola, ICML 2020, with t = 2.
    """
    distances = torch.pdist(functional.normalize(subsample(values).float(), dim=1))
    return float(torch.logsumexp(-2 * distances.square(), 0) - torch.tensor(float(len(distances))).log())


def rank_me(features: Tensor) -> float:
    """Return RankMe, the effective rank of `features` (samples, features): exp of the entropy of the singular values.

    Garrido et al., ICML 2023. NaN if a feature is not finite.
    """
    features = subsample(features)
    if not bool(features.isfinite().all()):
        return float("nan")
    values = torch.linalg.svdvals(features.double())
    share = values / values.sum().clamp(min=1e-300) + 1e-7
    return float((-(share * share.log()).sum()).exp())


def subsample(values: Tensor) -> Tensor:
    """Return all rows, or `MAX_SAMPLES` evenly spaced rows."""
    if len(values) <= MAX_SAMPLES:
        return values
    return values[torch.linspace(0, len(values) - 1, MAX_SAMPLES, device=values.device).round().long()]
