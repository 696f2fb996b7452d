"""NT-Xent, the loss of SimCLR: two views of one image find each other among all other views."""

import torch
from torch import Tensor
from torch.nn import functional


def ntxent_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Scalar loss of the embeddings (images, width) of two views of the same images; they need not be normalised.

    The mean over all 2N views of the cross-entropy with which a view picks its partner among the 2N - 1 others, by
    cosine similarity over the temperature. Chen et al., ICML 2020, equation 1.
    """
    views = functional.normalize(torch.cat([first, second]), dim=1)
    similarity = views @ views.T / temperature
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return functional.cross_entropy(similarity.masked_fill(itself, -torch.inf), partner)
