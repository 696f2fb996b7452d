"""Kullback-Leibler divergence of the posterior of a variational autoencoder from its prior."""

from torch import Tensor


def kl_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the mean over images of KL(N(mean, variance) || N(0, 1)), summed over dimensions, in nats; scalar.

    Both arguments are (images, latent). Kingma and Welling, ICLR 2014, appendix B.
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=1).mean()
