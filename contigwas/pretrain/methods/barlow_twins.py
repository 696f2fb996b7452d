"""Barlow Twins: two views agree in every dimension, and no two dimensions agree."""

from collections.abc import Mapping

from torch import Tensor

from contigwas.pretrain.data import Study
from contigwas.pretrain.distributed import gathered
from contigwas.pretrain.losses import barlow_twins_loss
from contigwas.pretrain.methods.views import TwoViews
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly


class BarlowTwins(TwoViews):
    """Zbontar et al., ICML 2021: projections of the width `hidden`; `redundancy` weighs the other dimensions."""

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(study, pixels, settings, seed)
        self.project = self.projector(settings["hidden"])

    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The loss of the projections, over the whole batch; divided by their width, so that lr means the same."""
        first, second = self.project(features).float().chunk(2)
        whole = (gathered(first), gathered(second)) if self.training else (first, second)
        with exactly(first):
            loss = barlow_twins_loss(*whole, self.settings["redundancy"]) / self.settings["hidden"]
        return loss, (first, second)
