"""The whole image encoder with a linear head, fitted to labels of samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from contigwas.downstream.labels.external_images import images_of, of_samples, seen_by
from contigwas.downstream.labels.kinds import MULTICLASS, Target
from contigwas.downstream.training import Learner, trained
from contigwas.images.array import Photographs
from contigwas.pretrain.augment import Augmentation
from contigwas.pretrain.networks import channels_last, features_of
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly


@dataclass(frozen=True)
class Taught:
    """What a network is taught. owner: of each image, int64 (images,); values, weights: float32 (samples, columns)."""

    photographs: Photographs
    owner: Tensor
    values: Tensor
    weights: Tensor
    target: Target


class Encoder(nn.Module):
    """Levels (images, channels, sizes …) -> (images, outputs): a trunk and a linear map of its features."""

    def __init__(self, pixels: PixelScaler, trunk: nn.Module, outputs: int) -> None:
        super().__init__()
        self.pixels, self.trunk = pixels, trunk
        self.last = nn.Linear(features_of(trunk), outputs)

    @property
    def learned(self) -> list[nn.Module]:
        """What pretraining may have learned."""
        return [self.trunk]

    def forward(self, levels: Tensor) -> Tensor:
        """Logits, or numbers in units of the training samples' SD."""
        return self.last(self.trunk(self.pixels(levels)))


class Labeller(Learner):
    """Cross-entropy of classes, of 0 or 1 for each label, or squares of standardised numbers; weighted by sample."""

    def __init__(
        self, network: Encoder, taught: Taught, settings: Mapping[str, object], pretrained: bool, seed: int
    ) -> None:
        super().__init__(network, settings, pretrained, seed)
        self.taught, self.views = taught, Augmentation.of(settings["augment"])

    def training_step(self, images: Tensor, index: int) -> Tensor:
        """The loss of a random view of each image."""
        levels = self.taught.photographs.gather(images).to(self.device).float() / 255
        with exactly(levels):
            levels = self.views(levels, self.generator)
        found = self.network(levels).float()
        sample = self.taught.owner[images]
        values, weights = (one[sample].to(self.device) for one in (self.taught.values, self.taught.weights))
        return loss(found, values, weights, self.taught.target)


def loss(found: Tensor, values: Tensor, weights: Tensor, target: Target) -> Tensor:
    """The mean over a batch; `found` (samples, outputs), `values` and `weights` (samples, columns)."""
    if target.is_number:
        return (weights * (found - values) ** 2).mean()
    if target.kind == MULTICLASS:
        return (weights[:, 0] * functional.cross_entropy(found, values[:, 0].long(), reduction="none")).mean()
    return (weights * functional.binary_cross_entropy_with_logits(found, values, reduction="none")).mean()


def finetuned(
    network: Encoder,
    photographs: Photographs,
    values: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    target: Target,
    settings: Mapping[str, object],
    pretrained: bool,
    seeds: tuple[int, int],
    name: str,
) -> np.ndarray:
    """Train `network` on the images of `train` and predict `test` (both positions of samples): (samples, width).

    `values` (samples, columns) are of everyone. A sample's images are predicted one by one and averaged, probabilities
    or numbers. `seeds` draw the order of images and their views. Raises UserError when a weight is no longer a number.
    """
    mean, sd = 0.0, 1.0
    if target.is_number:
        mean, sd = values[train].mean(), values[train].std() or 1.0
    weights = np.ones_like(values)
    if settings.get("class_weights"):
        weights[train] = target.weights(values[train])
    owner = torch.repeat_interleave(torch.arange(len(photographs.count)), photographs.count)
    tensors = (torch.from_numpy(one).float() for one in ((values - mean) / sd, weights))
    taught = Taught(photographs, owner, *tensors, target)
    network.to(memory_format=channels_last(photographs.shape))
    module = Labeller(network, taught, settings, pretrained, seeds[1])
    network = trained(module, images_of(train, photographs), seeds[0], name)
    found = seen_by(network, photographs, images_of(test, photographs))
    if target.kind == MULTICLASS:
        found = torch.from_numpy(found).softmax(dim=1).numpy()
    elif target.is_number:
        found = found * sd + mean
    else:
        found = torch.from_numpy(found).sigmoid().numpy()
    return of_samples(found, photographs, test)
