"""What there is before any training: random weights (or a file's), and principal components of the pixels."""

from collections.abc import Mapping

from torch import Tensor

from contigwas.pretrain.data import Batch, Study
from contigwas.pretrain.methods.base import Judged, Pretraining
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.pixels import fit_components


class Untrained(Pretraining):
    """The trunk as it was initialised, or as `weights` fill it: nothing is learned here."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """None: it is never trained."""
        return {}

    def judge(self, batch: Batch) -> Judged:
        """The features alone."""
        return Judged({}, self.trunk(self.pixels(self.levels(batch))))


class PixelPCA(Untrained):
    """The trunk is a fixed linear map: the first `embedding` principal components of the training people's pixels."""

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(study, pixels, settings, seed)
        first = study.photographs.first[study.train]
        self.trunk = fit_components(study.photographs, first, pixels, settings["embedding"], seed)
