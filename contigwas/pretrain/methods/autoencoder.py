"""Autoencoder: the features of the trunk give the image back."""

import math
from collections.abc import Mapping, Sequence

from monai.networks.nets import Generator
from torch import Tensor, nn
from torch.nn import functional

from contigwas.pretrain.data import Batch, Study
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.networks import features_of, image_encoder
from contigwas.pretrain.normalise import PixelScaler

COARSEST = 8  # pixels a side, about, of the map that the decoder starts from


class Autoencoder(Pretraining):
    """MONAI's convolutional generator draws the view that the trunk was shown; mean squared error of scaled levels."""

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(study, pixels, settings, seed)
        self.decoder = _decoder(study.photographs.shape, settings["width"], features_of(self.trunk))

    @staticmethod
    def drawer(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
        """MONAI's generator."""
        return _decoder(shape, settings["width"], features_of(image_encoder({**settings, "weights": None}, shape)))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Of an augmented view."""
        return {"reconstruction": self._error(self.view(self.levels(batch), self.generator))[0]}

    def judge(self, batch: Batch) -> ValidationOutput:
        """Of the images as they are."""
        error, features = self._error(self.pixels(self.levels(batch)))
        return ValidationOutput({"reconstruction": (len(batch.samples), float(error))}, features)

    def _error(self, views: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(views)
        drawn = cropped(self.decoder(features), views.shape[2:])
        return functional.mse_loss(drawn.float(), views.float()), features


def cropped(drawn: Tensor, sizes: Sequence[int]) -> Tensor:
    """Images (images, channels, sizes …) cut to `sizes`: halved odd sizes come back one pixel larger."""
    return drawn[(..., *(slice(size) for size in sizes))]


def _decoder(shape: tuple[int, ...], width: int, features: int) -> Generator:
    channels, *sizes = shape
    steps = max(1, round(math.log2(max(sizes) / COARSEST)))
    widths = [max(8, width * 2 ** (steps - 1 - step)) for step in range(steps)]
    return Generator(
        latent_shape=(features,),
        start_shape=(widths[0], *(math.ceil(size / 2**steps) for size in sizes)),
        channels=(*widths, channels),
        strides=(*[2] * steps, 1),
    )
