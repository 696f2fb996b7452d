"""The SigLIP loss: a binary classification of each pair of an image and a sample's genetics."""

import torch
from torch import Tensor
from torch.nn import functional


def siglip_loss(images: Tensor, genetics: Tensor, temperature: float | Tensor, bias: float | Tensor) -> Tensor:
    """Return the loss (scalar) of two embeddings (samples, width) of the same samples in the same order.

    The embeddings need not be normalised. S is the matrix of cosine similarities divided by the temperature, plus
    `bias`; z is 1 on the diagonal and -1 elsewhere. The loss is the sum of -log sigmoid(z S) over all pairs, divided by
    the number of samples. Zhai et al., ICCV 2023, section 3.2.
    """
    logits = functional.normalize(images, dim=1) @ functional.normalize(genetics, dim=1).T / temperature + bias
    sign = 2 * torch.eye(len(images), dtype=logits.dtype, device=logits.device) - 1
    return -functional.logsigmoid(sign * logits).sum() / len(images)
