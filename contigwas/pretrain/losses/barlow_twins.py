"""Barlow Twins: two views agree dimension by dimension, and the dimensions say different things."""

import torch
from torch import Tensor


def barlow_twins_loss(first: Tensor, second: Tensor, redundancy: float) -> Tensor:
    """Scalar loss of the embeddings (images, width) of two views of the same images.

    C is the correlation of each dimension of the first with each of the second over the batch:
    Σ (1 - C_ii)² + `redundancy` Σ_{i≠j} C_ij². Zbontar et al., ICML 2021, equations 1 and 2.
    """
    correlation = _standardised(first).T @ _standardised(second) / len(first)
    own = correlation.diagonal()
    return (1 - own).square().sum() + redundancy * (correlation.square().sum() - own.square().sum())


def _standardised(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + torch.finfo(values.dtype).tiny).sqrt()
