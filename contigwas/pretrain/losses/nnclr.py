"""NNCLR: the nearest neighbour of one view, from a queue of earlier images, finds the other view."""

import torch
from torch import Tensor
from torch.nn import functional


def nnclr_loss(projected: Tensor, predicted: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Scalar loss of one view's projections and the other's predictions (images, width), given a queue (kept, width).

    Each projection is replaced by its nearest row of `queue` (cosine), which then has to pick its image's prediction
    among those of the batch: cross-entropy of the cosines over the temperature. No gradient reaches the neighbours.
    Dwibedi et al., ICCV 2021, equations 2 and 3.
    """
    queue = functional.normalize(queue, dim=1)
    with torch.no_grad():
        nearest = queue[(functional.normalize(projected, dim=1) @ queue.T).argmax(dim=1)]
    similarity = nearest @ functional.normalize(predicted, dim=1).T / temperature
    return functional.cross_entropy(similarity, torch.arange(len(projected), device=projected.device))
