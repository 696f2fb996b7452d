"""Fine-tuning of the whole image encoder with a linear head on labels of samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from contigwas.downstream.labels.external_images import image_positions, mean_over_images, network_outputs
from contigwas.downstream.labels.kinds import MULTICLASS, Target
from contigwas.downstream.training import Learner, train_network
from contigwas.images.array import Photographs
from contigwas.pretrain.augment import Augmentation
from contigwas.pretrain.networks import channels_last, features_of
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly


@dataclass(frozen=True)
class TrainingLabels:
    """Images and labels for training.

    sample: int64 (images,), the sample of each image; values, weights: float32 (samples, columns).
    """

    photographs: Photographs
    sample: Tensor
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
        """Return the modules that can be pretrained."""
        return [self.trunk]

    def forward(self, levels: Tensor) -> Tensor:
        """Return logits, or standardised numbers (mean and SD of the training samples)."""
        return self.last(self.trunk(self.pixels(levels)))


class Labeller(Learner):
    """Training by cross-entropy (classes), binary cross-entropy (labels) or squared error (standardised numbers)."""

    def __init__(
        self, network: Encoder, labels: TrainingLabels, settings: Mapping[str, object], pretrained: bool, seed: int
    ) -> None:
        super().__init__(network, settings, pretrained, seed)
        self.labels, self.views = labels, Augmentation.of(settings["augment"])

    def training_step(self, images: Tensor, index: int) -> Tensor:
        """Return the loss of a random view of each image."""
        levels = self.labels.photographs.gather(images).to(self.device).float() / 255
        with exactly(levels):
            levels = self.views(levels, self.generator)
        outputs = self.network(levels).float()
        sample = self.labels.sample[images]
        values, weights = (one[sample].to(self.device) for one in (self.labels.values, self.labels.weights))
        return loss(outputs, values, weights, self.labels.target)


def loss(outputs: Tensor, values: Tensor, weights: Tensor, target: Target) -> Tensor:
    """Return the weighted mean loss of a batch: `outputs` (samples, width), `values`, `weights` (samples, columns)."""
    if target.is_number:
        return (weights * (outputs - values) ** 2).mean()
    if target.kind == MULTICLASS:
        return (weights[:, 0] * functional.cross_entropy(outputs, values[:, 0].long(), reduction="none")).mean()
    return (weights * functional.binary_cross_entropy_with_logits(outputs, values, reduction="none")).mean()


def finetune(
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
    """Train `network` on the images of the samples `train` and return predictions (samples, width) of `test`.

    `train` and `test` are positions of samples; `values` (samples, columns) are those of all samples. Predictions
    (probabilities or numbers) are averaged over the images of a sample. `seeds` determine the order of the images and
    their random views. Raises UserError if a weight is not finite.
    """
    mean, sd = 0.0, 1.0
    if target.is_number:
        mean, sd = values[train].mean(), values[train].std() or 1.0
    weights = np.ones_like(values)
    if settings.get("class_weights"):
        weights[train] = target.weights(values[train])
    sample = torch.repeat_interleave(torch.arange(len(photographs.count)), photographs.count)
    tensors = (torch.from_numpy(one).float() for one in ((values - mean) / sd, weights))
    labels = TrainingLabels(photographs, sample, *tensors, target)
    network.to(memory_format=channels_last(photographs.shape))
    module = Labeller(network, labels, settings, pretrained, seeds[1])
    network = train_network(module, image_positions(train, photographs), seeds[0], name)
    predicted = network_outputs(network, photographs, image_positions(test, photographs))
    if target.kind == MULTICLASS:
        predicted = torch.from_numpy(predicted).softmax(dim=1).numpy()
    elif target.is_number:
        predicted = predicted * sd + mean
    else:
        predicted = torch.from_numpy(predicted).sigmoid().numpy()
    return mean_over_images(predicted, photographs, test)
