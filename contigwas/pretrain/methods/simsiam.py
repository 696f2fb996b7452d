"""SimSiam: predict the other view's projection, which stands still."""

from collections.abc import Mapping

from torch import Tensor, nn

from contigwas.pretrain.data import Study
from contigwas.pretrain.losses import simsiam_loss
from contigwas.pretrain.methods.views import TwoViews, predictor
from contigwas.pretrain.normalise import PixelScaler


class SimSiam(TwoViews):
    """Chen and He, CVPR 2021: projections of the width `hidden`, normalised, and a predictor a quarter as wide."""

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(study, pixels, settings, seed)
        hidden = settings["hidden"]
        self.project = nn.Sequential(self.projector(hidden), nn.BatchNorm1d(hidden, affine=False))
        self.predict = predictor(hidden, max(hidden // 4, 2))

    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Each view's prediction against the other's projection."""
        projected = self.project(features)
        predicted = self.predict(projected).float().chunk(2)
        projected = projected.float().chunk(2)
        return simsiam_loss(*predicted, *projected), (predicted[0], projected[1])
