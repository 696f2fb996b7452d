"""BYOL: the prediction from one view matches the projection of the other view by a momentum copy of the network."""

from torch import Tensor
from torch.nn import functional


def byol_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean over images of 2 - 2 x the cosine of `predicted` and `target`, both (images, width); scalar.

    This is the squared distance of the normalised vectors. No gradient flows to `target`. Grill et al., NeurIPS 2020,
    eq. 2.
    """
    return (2 - 2 * functional.cosine_similarity(predicted, target.detach(), dim=1)).mean()
