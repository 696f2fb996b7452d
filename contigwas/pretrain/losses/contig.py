"""The loss of ContIG: each image against everyone's genetics, and each sample's genetics against every image."""

import torch
from torch import Tensor
from torch.nn import functional


def contig_loss(images: Tensor, genetics: Tensor, temperature: float | Tensor, alpha: float) -> Tensor:
    """Scalar loss of two embeddings (samples, width) of the same samples, in the same order; they need not be normalised.

    With S the cosine similarities over the temperature: `alpha` x the cross-entropy of the rows of S (image to
    genetics, the diagonal is right) + (1 - `alpha`) x that of its columns. Images are never contrasted with
    images, nor genetics with genetics. Taleb et al., CVPR 2022, equations 1 to 3.
    """
    similarity = functional.normalize(images, dim=1) @ functional.normalize(genetics, dim=1).T / temperature
    right = torch.arange(len(images), device=images.device)
    forward = functional.cross_entropy(similarity, right)
    backward = functional.cross_entropy(similarity.T, right)
    return alpha * forward + (1 - alpha) * backward
