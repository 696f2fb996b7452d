"""Base class of the methods that compare two views of an image and use no genetics."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from contigwas.pretrain.data import Batch
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.networks import features_of


class TwoViews(Pretraining):
    """Two random views of every image pass the trunk together; each method adds `compare`."""

    @abstractmethod
    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the loss and both sides (images, width), given `features` and pixels of the 2 x images `views`."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of the method."""
        return {"views": self._compare_views(batch, self.generator)[0]}

    def validation_output(self, batch: Batch) -> ValidationOutput:
        """Return the same for two augmented views, which are the same in every epoch."""
        loss, sides, features = self._compare_views(batch, self.validation_generator)
        return ValidationOutput(
            {"views": (len(batch.samples), float(loss))}, features[: len(batch.samples)], {"views": sides}
        )

    def _compare_views(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Return the loss, both sides, and the features of two random views of each image."""
        levels = self.levels(batch)
        views = self.view(torch.cat([levels, levels]), generator, views=2)
        features = self.trunk(views)
        return *self.compare(features, views), features

    def projector(self, width: int) -> nn.Sequential:
        """Return Linear - BatchNorm - ReLU - Linear - BatchNorm - ReLU - Linear.

        The projector of Barlow Twins, NNCLR and SimSiam.
        """
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
    """Return Linear - BatchNorm - ReLU - Linear, which predicts one view's projection from the other's."""
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, width)
    )
