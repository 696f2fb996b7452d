"""One network fitted to the labelled images of some samples: a fixed number of steps, then the last weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from monai.losses import DiceCELoss
from torch import Tensor, nn

from contigwas.downstream.segmentation.views import Views
from contigwas.downstream.training import Learner, trained
from contigwas.pretrain.data import Genetics
from contigwas.pretrain.networks import channels_last
from contigwas.pretrain.precision import exactly

BATCH = 64  # images at most that are predicted at a time,
PIXELS = 2**22  # and pixels of all of them together


@dataclass(frozen=True)
class Images:
    """Labelled images as tensors. pixels: uint8 (images, channels, sizes …); masks: uint8 (images, sizes …); sample: of
    each image, int64 (images,); genes of the samples, or None.
    """

    pixels: Tensor
    masks: Tensor
    sample: Tensor
    genes: Genetics | None = None

    def levels(self, images: Tensor, device: torch.device) -> Tensor:
        """Levels 0 … 1 of some images."""
        return self.pixels[images].to(device, non_blocking=True).float() / 255

    def genes_of(self, images: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor] | None:
        """Values and components of those of the images' samples that have genes, and who has them."""
        if self.genes is None:
            return None
        row = self.genes.row[self.sample[images]]
        return *self.genes.gather(row[row >= 0], device), (row >= 0).to(device)


class Segmenter(Learner):
    """Dice and cross-entropy of the classes."""

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
        # over the whole batch: of an image without a class the Dice of that class says little
        self.loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    def training_step(self, images: Tensor, index: int) -> Tensor:
        """The loss of a random view of each image."""
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
    """Train `network` on `images` (positions in `data`) and return it, in evaluation mode.

    `seeds` draw the order of images and their views: arms that share them see the same. Raises UserError when a weight
    is no longer a number.
    """
    network.to(memory_format=channels_last(data.pixels.shape[1:]))
    module = Segmenter(network, data, classes, settings, pretrained, seeds[1])
    return trained(module, torch.from_numpy(images), seeds[0], name)


def predict(network: nn.Module, data: Images, images: np.ndarray) -> Tensor:
    """The class of every pixel of `images`: uint8 (images, sizes …) on the CPU."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    at_once = max(1, min(BATCH, PIXELS // math.prod(data.masks.shape[1:])))
    found = []
    with torch.inference_mode():
        for part in torch.from_numpy(images).split(at_once):
            logits = network(data.levels(part, device), data.genes_of(part, device))
            found.append(logits.argmax(dim=1).byte().cpu())
    return torch.cat(found)


def counts(predicted: Tensor, truth: Tensor, classes: int) -> np.ndarray:
    """Pixels of each class but background in both, predicted, and true: int64 (images, classes - 1, 3)."""
    rows = []
    for one, other in zip(predicted, truth, strict=True):
        pairs = (one.long() * classes + other.long()).flatten()
        table = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
        rows.append(torch.stack([table.diagonal(), table.sum(dim=1), table.sum(dim=0)], dim=1)[1:])
    return torch.stack(rows).numpy()
