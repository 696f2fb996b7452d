"""Image encoders without training: random or loaded weights, and principal components of pixels."""

from collections.abc import Mapping

from torch import Tensor

from contigwas.pretrain.data import Batch
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.pixels import PixelComponents, fit_components


class Untrained(Pretraining):
    """The trunk with its initial weights, or with the weights of the file `weights`; not trained."""

    trains = False

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return no losses: the method is not trained."""
        return {}

    def validation_output(self, batch: Batch) -> ValidationOutput:
        """Return the features only."""
        return ValidationOutput({}, self.trunk(self.pixels(self.levels(batch))))


class PixelPCA(Untrained):
    """A fixed linear map: the first `embedding` principal components of the training samples' pixels."""

    @staticmethod
    def encoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> PixelComponents:
        """Return the map before fitting."""
        return PixelComponents(shape, settings["embedding"])

    def begin(self) -> None:
        """Fit the components."""
        photographs = self.data.photographs
        first = photographs.first[self.data.train]
        self.trunk = fit_components(photographs, first, self.pixels, self.settings["embedding"], self.seed)
