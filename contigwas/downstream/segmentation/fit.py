"""Fit a segmentation network to labelled images for a fixed number of steps, and predict masks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from monai.losses import DiceCELoss
from torch import Tensor, nn

from contigwas.downstream.segmentation.views import Views
from contigwas.downstream.training import Learner, train_network
from contigwas.pretrain.data import Genetics
from contigwas.pretrain.networks import channels_last
from contigwas.pretrain.precision import exactly

MAX_IMAGES = 64  # per forward pass of a prediction
MAX_PIXELS = 2**22  # per forward pass of a prediction


@dataclass(frozen=True)
class Images:
    """Labelled images as tensors.

    pixels: uint8 (images, channels, sizes …); masks: uint8 (images, sizes …); sample: int64 (images,), the sample of
    each image; genes: genetic features of the samples, or None.
    """

    pixels: Tensor
    masks: Tensor
    sample: Tensor
    genes: Genetics | None = None

    def levels(self, images: Tensor, device: torch.device) -> Tensor:
        """Return float grey levels 0 … 1 of `images` (positions) on `device`."""
        return self.pixels[images].to(device, non_blocking=True).float() / 255

    def genes_of(self, images: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor] | None:
        """Return values and components of samples with genes, and bool (images,): whether the sample has genes."""
        if self.genes is None:
            return None
        row = self.genes.row[self.sample[images]]
        return *self.genes.gather(row[row >= 0], device), (row >= 0).to(device)


class Segmenter(Learner):
    """Training with the sum of Dice loss and cross-entropy."""

    def __init__(
        self,
        network: nn.Module,
        data: Images,
        classes: int,
        settings: Mapping[str, object],
        pretrained: bool,
        seed: int,
    ) -> None:
        super().__init__(network, settings, pretrained, seed)
        self.data, self.classes = data, classes
        self.views = Views.of(settings["augment"])
        # over the whole batch, because the Dice of a class that an image does not have is uninformative
        self.loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    def training_step(self, images: Tensor, index: int) -> Tensor:
        """Return the loss of a random view of each image."""
        levels = self.data.levels(images, self.device)
        masks = self.data.masks[images].to(self.device).long()
        with exactly(levels):
            levels, masks = self.views(levels, masks, self.classes, self.generator)
        logits = self.network(levels, self.data.genes_of(images, self.device))
        with exactly(levels):
            return self.loss(logits.float(), masks[:, None])


def fit(
    network: nn.Module,
    data: Images,
    images: np.ndarray,
    classes: int,
    settings: Mapping[str, object],
    pretrained: bool,
    seeds: tuple[int, int],
    name: str,
) -> nn.Module:
    """Train `network` on `images` (positions in `data`) and return it in evaluation mode.

    `seeds` determine the order of the images and their random views, so arms with the same seeds see the same images.
    Raises UserError if a weight is not finite.
    """
    network.to(memory_format=channels_last(data.pixels.shape[1:]))
    module = Segmenter(network, data, classes, settings, pretrained, seeds[1])
    return train_network(module, torch.from_numpy(images), seeds[0], name)


def predict(network: nn.Module, data: Images, images: np.ndarray) -> Tensor:
    """Return the predicted class of every pixel of `images`: uint8 (images, sizes …) on the CPU."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    batch = max(1, min(MAX_IMAGES, MAX_PIXELS // math.prod(data.masks.shape[1:])))
    predicted = []
    with torch.inference_mode():
        for part in torch.from_numpy(images).split(batch):
            logits = network(data.levels(part, device), data.genes_of(part, device))
            predicted.append(logits.argmax(dim=1).byte().cpu())
    return torch.cat(predicted)


def count_pixels(predicted: Tensor, masks: Tensor, classes: int) -> np.ndarray:
    """Return counts of pixels of each class except background: int64 (images, classes - 1, 3).

    The three counts are pixels in both, predicted pixels, and pixels of the mask.
    """
    rows = []
    for one, other in zip(predicted, masks, strict=True):
        pairs = (one.long() * classes + other.long()).flatten()
        table = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
        rows.append(torch.stack([table.diagonal(), table.sum(dim=1), table.sum(dim=0)], dim=1)[1:])
    return torch.stack(rows).numpy()
