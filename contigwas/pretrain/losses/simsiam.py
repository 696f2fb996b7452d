"""SimSiam: the prediction from one view matches the projection of the other, which gets no gradient."""

from torch import Tensor
from torch.nn import functional


def simsiam_loss(
    first_predicted: Tensor, second_predicted: Tensor, first_projected: Tensor, second_projected: Tensor
) -> Tensor:
    """Return the loss (scalar) of predictions and projections (images, width) of two views; -1 if they agree.

    Half the negative cosine of each prediction with the other view's projection, averaged over images. No gradient
    flows to the projections. Chen and He, CVPR 2021, equations 1 to 4.
    """
    forward = functional.cosine_similarity(first_predicted, second_projected.detach(), dim=1).mean()
    backward = functional.cosine_similarity(second_predicted, first_projected.detach(), dim=1).mean()
    return -(forward + backward) / 2
