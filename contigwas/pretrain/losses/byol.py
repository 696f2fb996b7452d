"""BYOL: the prediction from one view meets what a slowly moving copy of the network makes of the other."""

from torch import Tensor
from torch.nn import functional


def byol_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Scalar mean over images of 2 - 2 x the cosine of `predicted` and `target`, both (images, width).

    The squared distance of the normalised vectors; no gradient reaches `target`. Grill et al., NeurIPS 2020, eq. 2.
    """
    return (2 - 2 * functional.cosine_similarity(predicted, target.detach(), dim=1)).mean()
