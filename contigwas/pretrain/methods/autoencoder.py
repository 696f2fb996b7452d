"""Autoencoder: the features of the trunk give the image back."""

import math
from collections.abc import Mapping

from monai.networks.nets import Generator
from torch import Tensor
from torch.nn import functional

from contigwas.pretrain.data import Batch, Study
from contigwas.pretrain.methods.base import Judged, Pretraining
from contigwas.pretrain.networks import features_of
from contigwas.pretrain.normalise import PixelScaler

COARSEST = 8  # pixels a side, about, of the map that the decoder starts from


class Autoencoder(Pretraining):
    """MONAI's convolutional generator draws the view that the trunk was shown; mean squared error of scaled levels."""

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(study, pixels, settings, seed)
        channels, *sizes = study.photographs.shape
        steps = max(1, round(math.log2(max(sizes) / COARSEST)))
        widths = [max(8, settings["width"] * 2 ** (steps - 1 - step)) for step in range(steps)]
        start = [math.ceil(size / 2**steps) for size in sizes]
        self.decoder = Generator(
            latent_shape=(features_of(self.trunk),),
            start_shape=(widths[0], *start),
            channels=(*widths, channels),
            strides=(*[2] * steps, 1),
        )
        self.sizes = tuple(sizes)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Of an augmented view."""
        return {"reconstruction": self._error(self.view(self.levels(batch), self.generator))[0]}

    def judge(self, batch: Batch) -> Judged:
        """Of the images as they are."""
        error, features = self._error(self.pixels(self.levels(batch)))
        return Judged({"reconstruction": (len(batch.people), float(error))}, features)

    def _error(self, views: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(views)
        drawn = self.decoder(features)[(..., *(slice(size) for size in self.sizes))]
        return functional.mse_loss(drawn.float(), views.float()), features
