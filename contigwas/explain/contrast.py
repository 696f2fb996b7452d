"""One sample's contrastive loss against a fixed reference batch, by a rank-one update of the similarity matrix."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Reference:
    """The N samples of a reference batch, reduced to what an added sample does not change.

    Attributes:
        images, genetics: normalised embeddings (N, width).
        rows, columns: log-sum-exp (N,) of the rows and columns of their similarities, in nats; empty for SigLIP.
        temperature, alpha: parameters of the loss.
        bias: of SigLIP; None for the ContIG loss.
    """

    images: Tensor
    genetics: Tensor
    rows: Tensor
    columns: Tensor
    temperature: float
    alpha: float
    bias: float | None

    @classmethod
    def of(
        cls, images: Tensor, genetics: Tensor, temperature: float, alpha: float, bias: float | None = None
    ) -> "Reference":
        """Create a reference from embeddings (N, width) of the same samples in the same order, normalised or not."""
        images, genetics = functional.normalize(images, dim=1), functional.normalize(genetics, dim=1)
        rows = columns = images.new_empty(0)
        if bias is None:
            similarity = images @ genetics.T / temperature
            rows, columns = similarity.logsumexp(dim=1), similarity.logsumexp(dim=0)
        return cls(images, genetics, rows, columns, temperature, alpha, bias)

    def losses(self, images: Tensor, genetics: Tensor) -> Tensor:
        """Return the loss (samples,) in nats of each of some samples (samples, width), added alone to the reference.

        It is (N + 1) times the loss of the N + 1 samples minus N times that of the reference: the terms of the sample's
        own row and column, and its contribution to those of the others. A sample changes one row and one column of the
        matrix, so this takes N x width operations instead of N x N x width.
        """
        images, genetics = functional.normalize(images, dim=1), functional.normalize(genetics, dim=1)
        matching = (images * genetics).sum(dim=1, keepdim=True) / self.temperature
        to_genetics = images @ self.genetics.T / self.temperature
        to_images = genetics @ self.images.T / self.temperature
        if self.bias is not None:
            others = functional.softplus(to_genetics + self.bias) + functional.softplus(to_images + self.bias)
            return functional.softplus(-(matching + self.bias))[:, 0] + others.sum(dim=1)
        forward = torch.cat([to_genetics, matching], dim=1).logsumexp(dim=1) - matching[:, 0]
        backward = torch.cat([to_images, matching], dim=1).logsumexp(dim=1) - matching[:, 0]
        # with the sample as an additional negative, a row's log-sum-exp grows by log(1 + exp(new - old))
        rows = functional.softplus(to_images - self.rows).sum(dim=1)
        columns = functional.softplus(to_genetics - self.columns).sum(dim=1)
        return self.alpha * (forward + rows) + (1 - self.alpha) * (backward + columns)
