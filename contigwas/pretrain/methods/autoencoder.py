"""Autoencoder: a decoder reconstructs the image from the features of the trunk."""

import math
from collections.abc import Mapping, Sequence

from monai.networks.nets import Generator
from torch import Tensor, nn
from torch.nn import functional

from contigwas.pretrain.data import Batch, TrainingData
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.networks import features_of, image_encoder
from contigwas.pretrain.normalise import PixelScaler

COARSEST_SIZE = 8  # approximate pixels per side of the first feature map of the decoder


class Autoencoder(Pretraining):
    """MONAI's convolutional generator reconstructs the input view.

    The loss is the mean squared error of scaled levels.
    """

    def __init__(self, data: TrainingData, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(data, pixels, settings, seed)
        self.decoder = _generator(data.photographs.shape, settings["width"], features_of(self.trunk))

    @staticmethod
    def image_decoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
        """Return MONAI's generator: (images, features) -> (images, channels, sizes …)."""
        return _generator(shape, settings["width"], features_of(image_encoder({**settings, "weights": None}, shape)))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the reconstruction error of an augmented view."""
        return {"reconstruction": self._error(self.view(self.levels(batch), self.generator))[0]}

    def validation_output(self, batch: Batch) -> ValidationOutput:
        """Return the reconstruction error and the features of the original images."""
        error, features = self._error(self.pixels(self.levels(batch)))
        return ValidationOutput({"reconstruction": (len(batch.samples), float(error))}, features)

    def _error(self, views: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(views)
        reconstructed = crop(self.decoder(features), views.shape[2:])
        return functional.mse_loss(reconstructed.float(), views.float()), features


def crop(reconstructed: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return images (images, channels, sizes …) crop to `sizes`: the decoder returns odd sizes one pixel larger."""
    return reconstructed[(..., *(slice(size) for size in sizes))]


def _generator(shape: tuple[int, ...], width: int, features: int) -> Generator:
    """Return a generator that doubles the size of a small feature map up to the size of the image."""
    channels, *sizes = shape
    steps = max(1, round(math.log2(max(sizes) / COARSEST_SIZE)))
    widths = [max(8, width * 2 ** (steps - 1 - step)) for step in range(steps)]
    return Generator(
        latent_shape=(features,),
        start_shape=(widths[0], *(math.ceil(size / 2**steps) for size in sizes)),
        channels=(*widths, channels),
        strides=(*[2] * steps, 1),
    )
