"""Contrastive autoencoder: a latent vector reconstructs its view and is contrasted with the other view of the image."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from contigwas.pretrain.autoencoder_halves import latent_coder
from contigwas.pretrain.data import Batch, TrainingData
from contigwas.pretrain.distributed import gather_rows
from contigwas.pretrain.losses import kl_loss, ntxent_loss
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.networks import channels_last
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly

WEIGHTS = {"views": "contrast", "kl": "kl"}  # recipe key with the weight of each term; reconstruction has weight 1


class ContrastiveAutoencoder(Pretraining):
    """After Ferrante et al., 2022 (arXiv 2209.12005): reconstruction + `contrast` x NT-Xent + `kl` x KL.

    Two augmented views of each image are encoded and reconstructed; NT-Xent compares their latent vectors. The
    variational form samples from the posterior in training; it contrasts, validates and embeds the posterior mean. With
    `contrast` 0 it is the plain autoencoder with the same network and views.
    """

    lower = "batch in the recipe, or images.size, or width"

    def __init__(self, data: TrainingData, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(data, pixels, settings, seed)
        self.decoder = self.image_decoder(settings, data.photographs.shape)
        self.decoder.to(memory_format=channels_last(data.photographs.shape))

    @staticmethod
    def encoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
        """Return the convolutional encoder."""
        return _coder(settings, shape)[0]

    @staticmethod
    def image_decoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
        """Return the convolutional decoder."""
        return _coder(settings, shape)[1]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each term unweighted; `total` applies the weights."""
        return self._terms(batch, self.generator)[0]

    def validation_output(self, batch: Batch) -> ValidationOutput:
        """Return the same terms for two augmented views, which are equal in every epoch, and their latent vectors."""
        losses, latents = self._terms(batch, self.validation_generator)
        samples = len(batch.samples)
        return ValidationOutput(
            {name: (samples, float(loss)) for name, loss in losses.items()},
            latents[:samples],
            {"views": (latents[:samples], latents[samples:])},
        )

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum; a term with weight 0 is logged but excluded from the sum."""
        weights = {name: self.settings[WEIGHTS[name]] for name in losses if name in WEIGHTS}
        return losses["reconstruction"] + sum(weight * losses[name] for name, weight in weights.items() if weight)

    def _terms(self, batch: Batch, generator: torch.Generator) -> tuple[dict[str, Tensor], Tensor]:
        """Return each loss term, and the latent vectors (2 x images, latent) of two random views of each image."""
        levels = self.levels(batch)
        views = self.view(torch.cat([levels, levels]), generator, views=2)
        losses = {}
        if self.settings["variational"]:
            latents, log_variance = self.trunk.posterior(views)
            losses["kl"] = kl_loss(latents, log_variance)
            noise = torch.randn_like(latents) if self.training else torch.zeros_like(latents)
            reconstructed = self.decoder(latents + noise * (log_variance / 2).exp())
        else:
            latents = self.trunk(views).float()
            reconstructed = self.decoder(latents)
        losses["reconstruction"] = functional.mse_loss(reconstructed.float(), views.float())
        first, second = latents.chunk(2)
        batch_sides = (gather_rows(first), gather_rows(second)) if self.training else (first, second)
        with exactly(latents):
            losses["views"] = ntxent_loss(*batch_sides, self.settings["temperature"])
        return losses, latents


def _coder(settings: Mapping[str, object], shape: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
    return latent_coder(shape, settings["latent"], settings["width"], settings["units"], settings["variational"])
