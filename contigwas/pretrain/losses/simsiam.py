"""SimSiam: the prediction from one view meets the projection of the other, which stands still."""

from torch import Tensor
from torch.nn import functional


def simsiam_loss(
    first_predicted: Tensor, second_predicted: Tensor, first_projected: Tensor, second_projected: Tensor
) -> Tensor:
    """Scalar loss of the predictions and projections (images, width) of two views: -1 where they agree.

    Half the negative cosine of each prediction with the other view's projection, averaged over images; no gradient
    reaches the projections. Chen and He, CVPR 2021, equations 1 to 4.
    """
    there = functional.cosine_similarity(first_predicted, second_projected.detach(), dim=1).mean()
    back = functional.cosine_similarity(second_predicted, first_projected.detach(), dim=1).mean()
    return -(there + back) / 2
