"""What there is before any training: random weights (or a file's), and principal components of the pixels."""

from collections.abc import Mapping

from torch import Tensor

from contigwas.pretrain.data import Batch
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.pixels import PixelComponents, fit_components


class Untrained(Pretraining):
    """The trunk as it was initialised, or as `weights` fill it: nothing is learned here."""

    trains = False

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """None: it is never trained."""
        return {}

    def judge(self, batch: Batch) -> ValidationOutput:
        """The features alone."""
        return ValidationOutput({}, self.trunk(self.pixels(self.levels(batch))))


class PixelPCA(Untrained):
    """The trunk is a fixed linear map: the first `embedding` principal components of the training samples' pixels."""

    @staticmethod
    def encoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> PixelComponents:
        """The map, before it is fitted."""
        return PixelComponents(shape, settings["embedding"])

    def begin(self) -> None:
        """Fit it."""
        photographs = self.study.photographs
        first = photographs.first[self.study.train]
        self.trunk = fit_components(photographs, first, self.pixels, self.settings["embedding"], self.seed)
