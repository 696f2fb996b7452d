"""NT-Xent, the loss of SimCLR: each view identifies the other view of its image among all views."""

import torch
from torch import Tensor
from torch.nn import functional


def ntxent_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return the loss (scalar) of the embeddings (images, width) of two views of the same images.

    The embeddings need not be normalised. The loss is the mean over all 2N views of the cross-entropy of identifying
    the other view of the image among the 2N - 1 other views, by cosine similarity divided by the temperature. Chen et
    al., ICML 2020, equation 1.
    """
    views = functional.normalize(torch.cat([first, second]), dim=1)
    similarity = views @ views.T / temperature
    diagonal = torch.eye(len(views), dtype=torch.bool, device=views.device)
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return functional.cross_entropy(similarity.masked_fill(diagonal, -torch.inf), partner)
