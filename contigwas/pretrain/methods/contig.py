"""ContIG: the image against each genetic modality of the same person."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from contigwas.pretrain.data import Batch, Study
from contigwas.pretrain.distributed import gathered
from contigwas.pretrain.losses import contig_loss, siglip_loss
from contigwas.pretrain.methods.base import Judged, Pretraining
from contigwas.pretrain.networks import genetics_encoders
from contigwas.pretrain.normalise import Normaliser, PixelScaler

HOTTEST = 0.01  # a learned temperature never falls below it (Radford et al., ICML 2021)
BIAS = -10.0  # of SigLIP, at the start: nearly all pairs are a no


class Contig(Pretraining):
    """ContIG (Taleb et al., CVPR 2022): one pass of the trunk a batch, one head and one genetics encoder a modality.

    `settings["loss"]` is `contig` (its weighted NT-Xent) or `siglip`; with `learn_temperature` the temperature
    is a parameter, shared by the modalities.
    """

    def __init__(
        self,
        study: Study,
        pixels: PixelScaler,
        normalisers: Mapping[str, Normaliser],
        settings: Mapping[str, object],
        seed: int,
    ) -> None:
        super().__init__(study, pixels, settings, seed)
        self.genetics = genetics_encoders(normalisers, settings)
        self.heads = nn.ModuleDict({name: self.head() for name in normalisers})
        if settings["learn_temperature"]:
            self.log_temperature = nn.Parameter(torch.tensor(math.log(settings["temperature"])))
        if settings["loss"] == "siglip":
            self.bias = nn.Parameter(torch.tensor(BIAS))

    @property
    def temperature(self) -> float | Tensor:
        """What similarities are divided by."""
        if self.settings["learn_temperature"]:
            return self.log_temperature.exp().clamp(min=HOTTEST)
        return self.settings["temperature"]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """One loss a modality, among the people of the batch who have it; 0 where fewer than two have."""
        features = self.trunk(self.view(self.levels(batch), self.generator))
        result = {}
        for name in self.genetics:
            sides = self._everyones(self._sides(name, batch.people, features), len(batch.people), features)
            # 0 x features keeps the graph whole where a batch has nobody: processes must agree on what has gradients
            result[name] = 0.0 * features.sum() if sides is None else self.contrast(*sides)
        return result

    def judge(self, batch: Batch) -> Judged:
        """Image and genetics embeddings of the people who have each modality, without augmentation."""
        features = self.trunk(self.pixels(self.levels(batch)))
        losses, sides = {}, {}
        for name in self.genetics:
            found = self._sides(name, batch.people, features)
            if found is not None:
                here, first, second = found
                sides[name] = first, second
                losses[name] = len(here), float(self.contrast(first, second))
        return Judged(losses, features, sides)

    def contrast(self, first: Tensor, second: Tensor) -> Tensor:
        """The recipe's loss of two sides, in full precision."""
        with torch.autocast(first.device.type, enabled=False):
            first, second = first.float(), second.float()
            if self.settings["loss"] == "siglip":
                return siglip_loss(first, second, self.temperature, self.bias)
            return contig_loss(first, second, self.temperature, self.settings["alpha"])

    def directions(self, name: str) -> tuple[str, str]:
        """Image to genetics, and back."""
        return f"image_to_{name}", f"{name}_to_image"

    def _sides(self, name: str, people: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
        """Which people of the batch have the modality, and both their embeddings; None where fewer than two have.

        The others are gone before any BatchNorm could see them.
        """
        genetics = self.study.genetics[name]
        row = genetics.row[people]
        here = torch.nonzero(row >= 0).flatten()
        if len(here) < 2:
            return None
        values, components = genetics.gather(row[here], self.device)
        images = self.heads[name](features[here.to(features.device, non_blocking=True)])
        return here, images, self.genetics[name](values, components)

    @staticmethod
    def _everyones(
        found: tuple[Tensor, Tensor, Tensor] | None, people: int, features: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """The sides of all processes' people; None where they are fewer than two."""
        if not torch.distributed.is_initialized():
            return None if found is None else found[1:]
        width = torch.tensor(0 if found is None else found[1].shape[1], device=features.device)
        torch.distributed.all_reduce(width, torch.distributed.ReduceOp.MAX)
        if not int(width):
            return None
        has = features.new_zeros((people, 1), dtype=torch.float32)
        sides = [features.new_zeros((people, int(width)), dtype=torch.float32) + 0.0 * features.sum() for _ in range(2)]
        if found is not None:
            here = found[0].to(features.device)
            has[here] = 1.0
            sides = [one.index_copy(0, here, side.float()) for one, side in zip(sides, found[1:], strict=True)]
        use = gathered(has)[:, 0] > 0
        return gathered(sides[0])[use], gathered(sides[1])[use]
