"""ContIG: contrast the image with each genetic modality of the same sample."""

import logging
import math
from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from contigwas.pretrain.data import Batch, TrainingData
from contigwas.pretrain.distributed import gather_rows, sum_over_processes, world_size
from contigwas.pretrain.losses import contig_loss, siglip_loss
from contigwas.pretrain.methods.base import Pretraining, ValidationOutput
from contigwas.pretrain.networks import genetics_encoders, start_from_betas
from contigwas.pretrain.normalise import Normaliser, PixelScaler
from contigwas.pretrain.pixels import fit_components
from contigwas.pretrain.precision import exactly

log = logging.getLogger(__name__)
MIN_TEMPERATURE = 0.01  # of a learned temperature (Radford et al., ICML 2021)
INITIAL_BIAS = -10.0  # of SigLIP: nearly all pairs are negatives


class Contig(Pretraining):
    """ContIG: one pass of the trunk per batch, one head and one genetics encoder per modality.

    Taleb et al., CVPR 2022. `settings["loss"]` is `contig` (its weighted NT-Xent) or `siglip`. With
    `learn_temperature`, the temperature is a parameter that the modalities share.
    """

    def __init__(
        self,
        data: TrainingData,
        pixels: PixelScaler,
        normalisers: Mapping[str, Normaliser],
        settings: Mapping[str, object],
        seed: int,
    ) -> None:
        super().__init__(data, pixels, settings, seed)
        self.genetics = self.encoders(normalisers, settings)
        self.heads = nn.ModuleDict({name: self.head() for name in normalisers})
        if settings["learn_temperature"]:
            self.log_temperature = nn.Parameter(torch.tensor(math.log(settings["temperature"])))
        if settings.get("loss") == "siglip":
            self.bias = nn.Parameter(torch.tensor(INITIAL_BIAS))

    @classmethod
    def of(
        cls,
        data: TrainingData,
        pixels: PixelScaler,
        normalisers: Mapping[str, Normaliser],
        settings: Mapping[str, object],
        seed: int,
    ) -> "Contig":
        """Create the module of a recipe."""
        return cls(data, pixels, normalisers, settings, seed)

    @staticmethod
    def encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
        """Return one genetics encoder per modality."""
        return genetics_encoders(normalisers, settings)

    def begin(self) -> None:
        """Initialise linear encoders with betas on pixel components of the training samples (`genetics_init: gwas`)."""
        if self.settings["genetics_init"] != "gwas":
            return
        data, pixels = self.data, self.pixels
        first = data.photographs.first[data.train]
        fitted = fit_components(data.photographs, first, pixels, self.settings["embedding"], self.seed)
        for name, genetics in data.genetics.items():
            present = data.train[genetics.row[data.train] >= 0]
            images = data.photographs.first[present]
            targets = [fitted(pixels(data.photographs.gather(part).float() / 255)) for part in images.split(256)]
            values, components = genetics.gather(genetics.row[present], torch.device("cpu"))
            start_from_betas(self.genetics[name], values, components, torch.cat(targets))
            log.info("initialised the encoder of %s with the betas of %d samples", name, len(present))

    @property
    def temperature(self) -> float | Tensor:
        """The divisor of similarities."""
        return self.log_temperature.exp() if self.settings["learn_temperature"] else self.settings["temperature"]

    def optimizer_step(self, *arguments: object, **keywords: object) -> None:
        """Clamp the learned temperature after a step: clamping in the loss would remove its gradient."""
        super().optimizer_step(*arguments, **keywords)
        if self.settings["learn_temperature"]:
            with torch.no_grad():
                self.log_temperature.clamp_(min=math.log(MIN_TEMPERATURE))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return one loss per modality, over the samples of the batch that have it; 0 where fewer than two have it."""
        features = self.trunk(self.view(self.levels(batch), self.generator))
        result = {}
        for name in self.genetics:
            found = self._sides(name, batch.samples, features, all_processes=True)
            # 0 x features keeps the graph connected: all processes must compute gradients of the same parameters
            result[name] = 0.0 * features.sum() if found is None else self.contrast(*_gather_sides(*found, features))
        return result

    def validation_output(self, batch: Batch) -> ValidationOutput:
        """Return image and genetics embeddings of the samples that have each modality, without augmentation."""
        features = self.trunk(self.pixels(self.levels(batch)))
        losses, sides = {}, {}
        for name in self.genetics:
            found = self._sides(name, batch.samples, features)
            if found is not None:
                present, first, second = found
                sides[name] = first, second
                losses[name] = len(present), float(self.contrast(first, second))
        return ValidationOutput(losses, features, sides)

    def contrast(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the recipe's loss of both sides, in full precision."""
        with exactly(first):
            first, second = first.float(), second.float()
            if self.settings["loss"] == "siglip":
                return siglip_loss(first, second, self.temperature, self.bias)
            return contig_loss(first, second, self.temperature, self.settings["alpha"])

    def directions(self, name: str) -> tuple[str, str]:
        """Return the names of both directions: image to genetics, and genetics to image."""
        return f"image_to_{name}", f"{name}_to_image"

    def _sides(
        self, name: str, samples: Tensor, features: Tensor, all_processes: bool = False
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """Return the samples of the batch that have the modality and both their embeddings; None for fewer than two.

        Samples without the modality are removed before any BatchNorm. With `all_processes`, the samples of all
        processes count. Each process then runs its encoder, even without samples, because a synchronised BatchNorm
        waits for all processes.
        """
        genetics = self.data.genetics[name]
        row = genetics.row[samples]
        present = torch.nonzero(row >= 0).flatten()
        if (sum_over_processes(len(present), features.device) if all_processes else len(present)) < 2:
            return None
        values, components = genetics.gather(row[present], self.device)
        # without samples, SyncBatchNorm would send statistics in the dtype of its input; other processes send float32
        with exactly(features) if not len(present) else nullcontext():
            images = self.heads[name](features[present.to(features.device, non_blocking=True)].float())
            return present, images, self.genetics[name](values, components)


def _gather_sides(present: Tensor, images: Tensor, genetics: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Return both sides of the samples of all processes, given the positions of this process's samples in its batch."""
    if world_size() == 1:
        return images, genetics
    present = present.to(features.device)
    mask = features.new_zeros((len(features), 1), dtype=torch.float32).index_fill(0, present, 1.0)
    # padded to the whole batch, because all processes must gather the same number of rows
    empty = features.new_zeros((len(features), images.shape[1]), dtype=torch.float32)
    use = gather_rows(mask)[:, 0] > 0
    return tuple(gather_rows(empty.index_copy(0, present, side.float()))[use] for side in (images, genetics))
