"""The Kullback-Leibler divergence of a variational autoencoder: how far the posteriors are from the prior."""

from torch import Tensor


def kl_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Scalar mean over images of KL(N(mean, variance) || N(0, 1)), in nats, summed over dimensions.

    Both (images, latent). Kingma and Welling, ICLR 2014, appendix B.
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=1).mean()
