"""SigLIP: every pair of an image and a sample's genetics is a yes or a no of its own."""

import torch
from torch import Tensor
from torch.nn import functional


def siglip_loss(images: Tensor, genetics: Tensor, temperature: float | Tensor, bias: float | Tensor) -> Tensor:
    """Scalar loss of two embeddings (samples, width) of the same samples, in the same order; they need not be normalised.

    With S the cosine similarities over the temperature plus `bias`, and z = 1 on the diagonal, -1 elsewhere:
    the sum of -log sigmoid(z S) over all pairs, divided by the samples. Zhai et al., ICCV 2023, section 3.2.
    """
    logits = functional.normalize(images, dim=1) @ functional.normalize(genetics, dim=1).T / temperature + bias
    sign = 2 * torch.eye(len(images), dtype=logits.dtype, device=logits.device) - 1
    return -functional.logsigmoid(sign * logits).sum() / len(images)
