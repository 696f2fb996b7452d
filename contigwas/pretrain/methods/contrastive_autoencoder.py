"""Contrastive autoencoder: a latent vector that draws its view back and finds the other view of the image."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from contigwas.pretrain.autoencoder_halves import latent_coder
from contigwas.pretrain.data import Batch, Study
from contigwas.pretrain.distributed import gathered
from contigwas.pretrain.losses import kl_loss, ntxent_loss
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.networks import channels_last
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly

WEIGHTS = {"views": "contrast", "kl": "kl"}  # the key of the recipe that weighs each term; reconstruction weighs 1


class ContrastiveAutoencoder(Pretraining):
    """After Ferrante et al., 2022 (arXiv 2209.12005): reconstruction + `contrast` x NT-Xent + `kl` x KL.

    Two augmented views of each image are coded and drawn back; the contrast is of their latent vectors themselves. The
    variational form draws from the posterior in training, and contrasts, validates and embeds its mean. With `contrast`
    0 it is the plain autoencoder of the same network, on the same views.
    """

    lower = "batch in the recipe, or images.size, or width"

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(study, pixels, settings, seed)
        self.decoder = self.drawer(settings, study.photographs.shape)
        self.decoder.to(memory_format=channels_last(study.photographs.shape))

    @staticmethod
    def encoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
        """The convolutional half that codes."""
        return _coder(settings, shape)[0]

    @staticmethod
    def drawer(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
        """The convolutional half that draws."""
        return _coder(settings, shape)[1]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Each term by itself; `total` weighs them."""
        return self._terms(batch, self.generator)[0]

    def judge(self, batch: Batch) -> ValidationOutput:
        """The same of two augmented views, which are those of every epoch, and retrieval between their latents."""
        losses, latents = self._terms(batch, self.validation_generator)
        samples = len(batch.samples)
        return ValidationOutput(
            {name: (samples, float(loss)) for name, loss in losses.items()},
            latents[:samples],
            {"views": (latents[:samples], latents[samples:])},
        )

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum; a term that weighs 0 is watched, and takes no part."""
        weights = {name: self.settings[WEIGHTS[name]] for name in losses if name in WEIGHTS}
        return losses["reconstruction"] + sum(weight * losses[name] for name, weight in weights.items() if weight)

    def _terms(self, batch: Batch, generator: torch.Generator) -> tuple[dict[str, Tensor], Tensor]:
        levels = self.levels(batch)
        views = self.view(torch.cat([levels, levels]), generator, views=2)
        losses = {}
        if self.settings["variational"]:
            latents, log_variance = self.trunk.posterior(views)
            losses["kl"] = kl_loss(latents, log_variance)
            noise = torch.randn_like(latents) if self.training else torch.zeros_like(latents)
            drawn = self.decoder(latents + noise * (log_variance / 2).exp())
        else:
            latents = self.trunk(views).float()
            drawn = self.decoder(latents)
        losses["reconstruction"] = functional.mse_loss(drawn.float(), views.float())
        first, second = latents.chunk(2)
        whole = (gathered(first), gathered(second)) if self.training else (first, second)
        with exactly(latents):
            losses["views"] = ntxent_loss(*whole, self.settings["temperature"])
        return losses, latents


def _coder(settings: Mapping[str, object], shape: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
    return latent_coder(shape, settings["latent"], settings["width"], settings["units"], settings["variational"])
