"""What the methods of two views share: they see no genetics."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from contigwas.pretrain.data import Batch
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.networks import features_of


class TwoViews(Pretraining):
    """Two random views of every image go through the trunk in one pass; each method adds `compare`."""

    @abstractmethod
    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The loss, and the two sides (images, width), of `features` and pixels of 2 x images `views`."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of the method."""
        return {"views": self._compared(batch, self.generator)[0]}

    def judge(self, batch: Batch) -> ValidationOutput:
        """The same of two augmented views, which are those of every epoch."""
        loss, sides, features = self._compared(batch, self.validation_generator)
        return ValidationOutput(
            {"views": (len(batch.samples), float(loss))}, features[: len(batch.samples)], {"views": sides}
        )

    def _compared(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        levels = self.levels(batch)
        views = self.view(torch.cat([levels, levels]), generator, views=2)
        features = self.trunk(views)
        return *self.compare(features, views), features

    def projector(self, width: int) -> nn.Sequential:
        """Linear - BatchNorm - ReLU - Linear - BatchNorm - ReLU - Linear, as Barlow Twins, NNCLR, SimSiam have it."""
        hidden = self.settings["hidden"]
        return nn.Sequential(
            nn.Linear(features_of(self.trunk), hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, width),
        )


def predictor(width: int, hidden: int) -> nn.Sequential:
    """Linear - BatchNorm - ReLU - Linear: what one view says of the other."""
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, width)
    )
