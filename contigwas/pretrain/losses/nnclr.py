"""NNCLR: the nearest neighbour of one view, in a queue of earlier images, is contrasted with the other view."""

import torch
from torch import Tensor
from torch.nn import functional


def nnclr_loss(projected: Tensor, predicted: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Return the loss (scalar) of projections of one view and predictions of the other, given a queue.

    `projected` and `predicted` are (images, width), `queue` is (queue length, width). Each projection is replaced by
    its nearest row of `queue` (by cosine). The loss is the cross-entropy of identifying the prediction of the same
    image in the batch, by cosine similarity divided by the temperature. No gradient flows to the neighbours. Dwibedi et
    al., ICCV 2021, equations 2 and 3.
    """
    queue = functional.normalize(queue, dim=1)
    with torch.no_grad():
        nearest = queue[(functional.normalize(projected, dim=1) @ queue.T).argmax(dim=1)]
    similarity = nearest @ functional.normalize(predicted, dim=1).T / temperature
    return functional.cross_entropy(similarity, torch.arange(len(projected), device=projected.device))
