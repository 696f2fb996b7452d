"""Barlow Twins: the embeddings of two views agree per dimension, and the dimensions are decorrelated."""

import torch
from torch import Tensor


def barlow_twins_loss(first: Tensor, second: Tensor, redundancy: float) -> Tensor:
    """Return the loss (scalar) of the embeddings (images, width) of two views of the same images.

    C is the cross-correlation matrix of the dimensions of both embeddings over the batch. The loss is Σ (1 - C_ii)² +
    `redundancy` Σ_{i≠j} C_ij². Zbontar et al., ICML 2021, equations 1 and 2.
    """
    correlation = _standardise(first).T @ _standardise(second) / len(first)
    diagonal = correlation.diagonal()
    return (1 - diagonal).square().sum() + redundancy * (correlation.square().sum() - diagonal.square().sum())


def _standardise(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + torch.finfo(values.dtype).tiny).sqrt()
