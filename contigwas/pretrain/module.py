"""Training as Lightning modules: what a batch costs, one optimizer, one schedule a step, a row of history an epoch."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import lightning
import torch
from torch import Tensor, nn

from contigwas.errors import UserError
from contigwas.pretrain.augment import Augmentation
from contigwas.pretrain.data import Study
from contigwas.pretrain.losses import contig_loss, ntxent_loss
from contigwas.pretrain.networks import features_of, genetics_encoders, head, image_encoder
from contigwas.pretrain.normalise import Normaliser, PixelScaler
from contigwas.pretrain.retrieval import chance, retrieval

log = logging.getLogger(__name__)
Batch = tuple[Tensor, Tensor]  # who, and which image of theirs: int64 (people,)


class Pretraining(lightning.LightningModule, ABC):
    """What the methods share; each adds `losses` (of a training batch) and `embeddings` (of a validation batch).

    `history` collects one dict an epoch. `generator` draws the augmentations, on the CPU.
    """

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__()
        self.study, self.settings = study, settings
        self.pixels = pixels
        self.trunk = image_encoder(settings["image_encoder"], settings["width"], study.photographs.pixels.shape[-1])
        self.trunk.to(memory_format=torch.channels_last)
        self.augment = Augmentation.of(settings["augment"])
        self.generator = torch.Generator().manual_seed(seed)
        self.seed = seed
        self.history: list[dict[str, float]] = []
        self._train: list[dict[str, Tensor]] = []
        self._validation: list[dict[str, tuple[Tensor, Tensor]]] = []

    def head(self) -> nn.Sequential:
        """A new head on the trunk."""
        return head(features_of(self.trunk), self.settings["hidden"], self.settings["embedding"])

    def levels(self, images: Tensor) -> Tensor:
        """Levels 0 … 1 of the images at `images`: (images, 3, height, width)."""
        return self.study.photographs.pixels[images].to(self.device, non_blocking=True).float() / 255

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, index: int) -> Batch:
        """Positions stay on the CPU, where the resident tensors are gathered; only what is gathered travels."""
        return batch

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Scalar loss of each contrast of a training batch; their mean is minimised."""

    @abstractmethod
    def embeddings(self, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Both sides (people, width) of each contrast of a validation batch."""

    @abstractmethod
    def contrast(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of two sides."""

    @abstractmethod
    def directions(self, name: str) -> tuple[str, str]:
        """What the two ways of retrieval are called."""

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The mean over contrasts."""
        losses = self.losses(batch)
        self._train.append({name: loss.detach() for name, loss in losses.items()})
        return torch.stack(list(losses.values())).mean()

    def validation_step(self, batch: Batch, index: int) -> None:
        """Keep the embeddings: retrieval is among all validation people."""
        self._validation.append(self.embeddings(batch))

    def on_validation_epoch_start(self) -> None:
        """The same views in every epoch."""
        self.validation_generator = torch.Generator().manual_seed(self.seed)

    def on_train_epoch_end(self) -> None:
        """Write the row of history; raise UserError when the loss is no longer a number."""
        optimizer = self.optimizers()
        train = {name: float(torch.stack([one[name] for one in self._train]).mean()) for name in self._train[0]}
        row = {"epoch": self.current_epoch + 1, "step": self.global_step, "lr": optimizer.param_groups[0]["lr"]}
        row["train_loss"] = sum(train.values()) / len(train)
        if not math.isfinite(row["train_loss"]):
            raise UserError(
                f"the training loss is not a number any more in epoch {self.current_epoch + 1}: lower lr in the recipe"
            )
        validation, figures = self._validate()
        row["val_loss"] = sum(validation.values()) / len(train) if validation else float("nan")
        row |= {f"train_{name}": value for name, value in train.items()}
        row |= {f"val_{name}": validation.get(name, float("nan")) for name in train} | figures
        self.history.append(row)
        self._train, self._validation = [], []
        log.info("epoch %d: loss %.4f, in validation %.4f", row["epoch"], row["train_loss"], row["val_loss"])

    def _validate(self) -> tuple[dict[str, float], dict[str, float]]:
        """Loss of each contrast (mean over batches, weighted by people) and retrieval figures of the validation set."""
        losses, figures = {}, {}
        for name in self._validation[0] if self._validation else ():
            sides = [one[name] for one in self._validation if len(one[name][0]) > 1]
            if not sides:
                continue
            people = sum(len(first) for first, _ in sides)
            losses[name] = sum(len(first) * float(self.contrast(first, second)) for first, second in sides) / people
            first, second = (torch.cat(side) for side in zip(*sides, strict=True))
            there, back = self.directions(name)
            for way, found in ((there, retrieval(first, second)), (back, retrieval(second, first))):
                figures |= {f"{way}@{k}": share for k, share in found.items()}
            figures |= {f"chance_{name}@{k}": share for k, share in chance(people).items()}
        return losses, figures

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW without decay on biases and BatchNorm; one-cycle or cosine, stepped every batch."""
        decayed = [one for one in self.parameters() if one.ndim > 1]
        others = [one for one in self.parameters() if one.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": self.settings["weight_decay"]}]
        groups.append({"params": others, "weight_decay": 0.0})
        optimizer = torch.optim.AdamW(groups, lr=self.settings["lr"])
        steps = int(self.trainer.estimated_stepping_batches)
        if self.settings["schedule"] == "onecycle":
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.settings["lr"], total_steps=steps)
        else:
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Contig(Pretraining):
    """ContIG: the photograph against each modality; one pass of the trunk a batch, one head a modality."""

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

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """One loss a modality, among the people of the batch who have it; 0 where fewer than two have."""
        people, images = batch
        features = self.trunk(self.pixels(self.augment(self.levels(images), self.generator)))
        result = {}
        for name in self.genetics:
            sides = self._sides(name, people, features)
            result[name] = features.new_zeros(()) if sides is None else self.contrast(*sides)
        return result

    def embeddings(self, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Image and genetics embeddings of the people who have the modality, without augmentation."""
        people, images = batch
        features = self.trunk(self.pixels(self.levels(images)))
        nobody = features.new_zeros((0, self.settings["embedding"]))
        return {name: self._sides(name, people, features) or (nobody, nobody) for name in self.genetics}

    def contrast(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of ContIG."""
        return contig_loss(first, second, self.settings["temperature"], self.settings["alpha"])

    def directions(self, name: str) -> tuple[str, str]:
        """Image to genetics, and back."""
        return f"image_to_{name}", f"{name}_to_image"

    def _sides(self, name: str, people: Tensor, features: Tensor) -> tuple[Tensor, Tensor] | None:
        """Both embeddings of those who have the modality: the others are gone before any BatchNorm could see them."""
        genetics = self.study.genetics[name]
        row = genetics.row[people]
        has = row >= 0
        if int(has.sum()) < 2:
            return None
        values = genetics.values[row[has]].to(self.device, non_blocking=True)
        return self.heads[name](features[has.to(features.device)]), self.genetics[name](values)


class SimCLR(Pretraining):
    """SimCLR: two views of a photograph against all others', both in one pass of the trunk."""

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__(study, pixels, settings, seed)
        self.heads = nn.ModuleDict({"views": self.head()})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """NT-Xent."""
        return {"views": self.contrast(*self._two_views(batch[1], self.generator))}

    def embeddings(self, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Two augmented views."""
        return {"views": self._two_views(batch[1], self.validation_generator)}

    def contrast(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of SimCLR."""
        return ntxent_loss(first, second, self.settings["temperature"])

    def directions(self, name: str) -> tuple[str, str]:
        """From the first view, and from the second."""
        return "view_to_other", "other_to_view"

    def _two_views(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        levels = self.levels(images)
        views = self.pixels(self.augment(torch.cat([levels, levels]), generator))
        first, second = self.heads["views"](self.trunk(views)).chunk(2)
        return first, second
