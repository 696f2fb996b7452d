"""SimCLR: identify the other view of an image among the views of all images."""

from collections.abc import Mapping

from torch import Tensor, nn

from contigwas.pretrain.data import TrainingData
from contigwas.pretrain.distributed import gather_rows
from contigwas.pretrain.losses import ntxent_loss
from contigwas.pretrain.methods.views import TwoViews
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly


class SimCLR(TwoViews):
    """Chen et al., ICML 2020."""

    def __init__(self, data: TrainingData, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(data, pixels, settings, seed)
        self.heads = nn.ModuleDict({"views": self.head()})

    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return NT-Xent of the projections over the whole batch."""
        first, second = self.heads["views"](features).float().chunk(2)
        batch_sides = (gather_rows(first), gather_rows(second)) if self.training else (first, second)
        with exactly(first):
            return ntxent_loss(*batch_sides, self.settings["temperature"]), (first, second)
