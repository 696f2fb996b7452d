"""The ContIG loss: each image against the genetics of all samples, and each sample's genetics against all images."""

import torch
from torch import Tensor
from torch.nn import functional


def contig_loss(images: Tensor, genetics: Tensor, temperature: float | Tensor, alpha: float) -> Tensor:
    """Return the loss (scalar) of two embeddings (samples, width) of the same samples in the same order.

    The embeddings need not be normalised. S is the matrix of cosine similarities divided by the temperature. The loss
    is `alpha` x the cross-entropy of the rows of S (image to genetics, with the diagonal as the target) + (1 - `alpha`)
    x that of its columns. Images are not contrasted with images, nor genetics with genetics. Taleb et al., CVPR 2022,
    equations 1 to 3.
    """
    similarity = functional.normalize(images, dim=1) @ functional.normalize(genetics, dim=1).T / temperature
    target = torch.arange(len(images), device=images.device)
    forward = functional.cross_entropy(similarity, target)
    backward = functional.cross_entropy(similarity.T, target)
    return alpha * forward + (1 - alpha) * backward
