"""ContIG: the image against each genetic modality of the same sample."""

import logging
import math
from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from contigwas.pretrain.data import Batch, Study
from contigwas.pretrain.distributed import gathered, total, world
from contigwas.pretrain.losses import contig_loss, siglip_loss
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.networks import genetics_encoders, start_from_betas
from contigwas.pretrain.normalise import Normaliser, PixelScaler
from contigwas.pretrain.pixels import fit_components
from contigwas.pretrain.precision import exactly

log = logging.getLogger(__name__)
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
        self.genetics = self.encoders(normalisers, settings)
        self.heads = nn.ModuleDict({name: self.head() for name in normalisers})
        if settings["learn_temperature"]:
            self.log_temperature = nn.Parameter(torch.tensor(math.log(settings["temperature"])))
        if settings.get("loss") == "siglip":
            self.bias = nn.Parameter(torch.tensor(BIAS))

    @classmethod
    def of(
        cls,
        study: Study,
        pixels: PixelScaler,
        normalisers: Mapping[str, Normaliser],
        settings: Mapping[str, object],
        seed: int,
    ) -> "Contig":
        """The module of a recipe."""
        return cls(study, pixels, normalisers, settings, seed)

    @staticmethod
    def encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
        """Those of genetics."""
        return genetics_encoders(normalisers, settings)

    def begin(self) -> None:
        """Fill linear encoders with betas on the training samples' components of the pixels, if the recipe says so."""
        if self.settings["genetics_init"] != "gwas":
            return
        study, pixels = self.study, self.pixels
        first = study.photographs.first[study.train]
        fitted = fit_components(study.photographs, first, pixels, self.settings["embedding"], self.seed)
        for name, genetics in study.genetics.items():
            has = study.train[genetics.row[study.train] >= 0]
            images = study.photographs.first[has]
            targets = [fitted(pixels(study.photographs.gather(part).float() / 255)) for part in images.split(256)]
            values, components = genetics.gather(genetics.row[has], torch.device("cpu"))
            start_from_betas(self.genetics[name], values, components, torch.cat(targets))
            log.info("the encoder of %s starts from the betas of %d samples", name, len(has))

    @property
    def temperature(self) -> float | Tensor:
        """What similarities are divided by."""
        return self.log_temperature.exp() if self.settings["learn_temperature"] else self.settings["temperature"]

    def optimizer_step(self, *arguments: object, **keywords: object) -> None:
        """Set a temperature that fell too low back: clamped in the loss, it would have no gradient to rise by."""
        super().optimizer_step(*arguments, **keywords)
        if self.settings["learn_temperature"]:
            with torch.no_grad():
                self.log_temperature.clamp_(min=math.log(HOTTEST))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """One loss a modality, among the samples of the batch who have it; 0 where fewer than two have."""
        features = self.trunk(self.view(self.levels(batch), self.generator))
        result = {}
        for name in self.genetics:
            found = self._sides(name, batch.samples, features, everyones=True)
            # 0 x features keeps the graph whole where a batch has nobody: processes must agree on what has gradients
            result[name] = 0.0 * features.sum() if found is None else self.contrast(*_gathered(*found, features))
        return result

    def judge(self, batch: Batch) -> ValidationOutput:
        """Image and genetics embeddings of the samples that have each modality, without augmentation."""
        features = self.trunk(self.pixels(self.levels(batch)))
        losses, sides = {}, {}
        for name in self.genetics:
            found = self._sides(name, batch.samples, features)
            if found is not None:
                here, first, second = found
                sides[name] = first, second
                losses[name] = len(here), float(self.contrast(first, second))
        return ValidationOutput(losses, features, sides)

    def contrast(self, first: Tensor, second: Tensor) -> Tensor:
        """The recipe's loss of two sides, in full precision."""
        with exactly(first):
            first, second = first.float(), second.float()
            if self.settings["loss"] == "siglip":
                return siglip_loss(first, second, self.temperature, self.bias)
            return contig_loss(first, second, self.temperature, self.settings["alpha"])

    def directions(self, name: str) -> tuple[str, str]:
        """Image to genetics, and back."""
        return f"image_to_{name}", f"{name}_to_image"

    def _sides(
        self, name: str, samples: Tensor, features: Tensor, everyones: bool = False
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """Which samples of the batch have the modality, and both their embeddings; None where fewer than two have.

        The others are gone before any BatchNorm could see them. With `everyones` the samples of all processes count:
        each process then runs its encoder, if on nobody, because a BatchNorm that is shared waits for all.
        """
        genetics = self.study.genetics[name]
        row = genetics.row[samples]
        here = torch.nonzero(row >= 0).flatten()
        if (total(len(here), features.device) if everyones else len(here)) < 2:
            return None
        values, components = genetics.gather(row[here], self.device)
        # SyncBatchNorm sends the statistics of nobody in the type of its input, the others theirs in float32
        with exactly(features) if not len(here) else nullcontext():
            images = self.heads[name](features[here.to(features.device, non_blocking=True)].float())
            return here, images, self.genetics[name](values, components)


def _gathered(here: Tensor, images: Tensor, genetics: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides of the samples of all processes, from those `here` in the batch of this one."""
    if world() == 1:
        return images, genetics
    here = here.to(features.device)
    has = features.new_zeros((len(features), 1), dtype=torch.float32).index_fill(0, here, 1.0)
    # padded to the whole batch, since processes gather equally many rows
    empty = features.new_zeros((len(features), images.shape[1]), dtype=torch.float32)
    use = gathered(has)[:, 0] > 0
    return tuple(gathered(empty.index_copy(0, here, side.float()))[use] for side in (images, genetics))
