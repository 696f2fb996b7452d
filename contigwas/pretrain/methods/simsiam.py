"""SimSiam: predict the other view's projection, which gets no gradient."""

from collections.abc import Mapping

from torch import Tensor, nn

from contigwas.pretrain.data import TrainingData
from contigwas.pretrain.losses import simsiam_loss
from contigwas.pretrain.methods.views import TwoViews, predictor
from contigwas.pretrain.normalise import PixelScaler


class SimSiam(TwoViews):
    """Chen and He, CVPR 2021: normalised projections of width `hidden`, and a predictor of a quarter of that width."""

    def __init__(self, data: TrainingData, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(data, pixels, settings, seed)
        hidden = settings["hidden"]
        self.project = nn.Sequential(self.projector(hidden), nn.BatchNorm1d(hidden, affine=False))
        self.predict = predictor(hidden, max(hidden // 4, 2))

    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the loss of each view's prediction against the other view's projection."""
        projected = self.project(features)
        predicted = self.predict(projected).float().chunk(2)
        projected = projected.float().chunk(2)
        return simsiam_loss(*predicted, *projected), (predicted[0], projected[1])
