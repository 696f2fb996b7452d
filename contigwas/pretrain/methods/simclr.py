"""SimCLR: two views of an image find each other among all others'."""

from collections.abc import Mapping

from torch import Tensor, nn

from contigwas.pretrain.data import Study
from contigwas.pretrain.distributed import gathered
from contigwas.pretrain.losses import ntxent_loss
from contigwas.pretrain.methods.views import TwoViews
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly


class SimCLR(TwoViews):
    """Chen et al., ICML 2020."""

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(study, pixels, settings, seed)
        self.heads = nn.ModuleDict({"views": self.head()})

    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """NT-Xent of the projections."""
        first, second = self.heads["views"](features).float().chunk(2)
        whole = (gathered(first), gathered(second)) if self.training else (first, second)
        with exactly(first):
            return ntxent_loss(*whole, self.settings["temperature"]), (first, second)
