"""Barlow Twins: two views agree in every dimension, and the dimensions are decorrelated."""

from collections.abc import Mapping

from torch import Tensor

from contigwas.pretrain.data import TrainingData
from contigwas.pretrain.distributed import gather_rows
from contigwas.pretrain.losses import barlow_twins_loss
from contigwas.pretrain.methods.views import TwoViews
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly


class BarlowTwins(TwoViews):
    """Zbontar et al., ICML 2021; projections of width `hidden`; `redundancy` weights the off-diagonal correlations."""

    def __init__(self, data: TrainingData, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(data, pixels, settings, seed)
        self.project = self.projector(settings["hidden"])

    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the loss of the projections over the whole batch, divided by their width so that lr is comparable."""
        first, second = self.project(features).float().chunk(2)
        batch_sides = (gather_rows(first), gather_rows(second)) if self.training else (first, second)
        with exactly(first):
            loss = barlow_twins_loss(*batch_sides, self.settings["redundancy"]) / self.settings["hidden"]
        return loss, (first, second)
