"""NNCLR: the nearest earlier image of one view is contrasted with the other view."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from contigwas.pretrain.data import TrainingData
from contigwas.pretrain.distributed import gather_rows
from contigwas.pretrain.losses import nnclr_loss
from contigwas.pretrain.methods.views import TwoViews, predictor
from contigwas.pretrain.normalise import PixelScaler
from contigwas.pretrain.precision import exactly


class NNCLR(TwoViews):
    """Dwibedi et al., ICCV 2021: a queue of the last `queue` projections; new ones replace the oldest."""

    def __init__(self, data: TrainingData, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(data, pixels, settings, seed)
        width = settings["embedding"]
        self.project = self.projector(width)
        self.predict = predictor(width, settings["hidden"])
        self.register_buffer("queue", functional.normalize(torch.randn(settings["queue"], width), dim=1))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.int64))

    def compare(self, features: Tensor, views: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the mean loss of both directions over the whole batch."""
        projected = self.project(features)
        predicted = self.predict(projected).float().chunk(2)
        projected = projected.detach().float().chunk(2)
        sides = projected[0], predicted[1]
        if self.training:
            projected, predicted = ([gather_rows(one) for one in pair] for pair in (projected, predicted))
        temperature = self.settings["temperature"]
        with exactly(features):
            forward = nnclr_loss(projected[0], predicted[1], self.queue, temperature)
            backward = nnclr_loss(projected[1], predicted[0], self.queue, temperature)
        if self.training:
            self._enqueue(projected[0])
        return (forward + backward) / 2, sides

    def _enqueue(self, projected: Tensor) -> None:
        """Replace the oldest entries by the batch's first views."""
        place = (self.oldest + torch.arange(len(projected), device=projected.device)) % len(self.queue)
        self.queue[place] = functional.normalize(projected, dim=1)
        self.oldest.copy_((self.oldest + len(projected)) % len(self.queue))
