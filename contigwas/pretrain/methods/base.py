"""What the methods share as a Lightning module: one optimizer, one schedule a step, a row of history an epoch."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import lightning
import torch
from torch import Tensor, nn

from contigwas.pretrain.augment import Augmentation
from contigwas.pretrain.data import Batch, Batches, Study
from contigwas.pretrain.distributed import gathered_lists, rank, world
from contigwas.pretrain.embedding_metrics import alignment, rank_me, uniformity
from contigwas.pretrain.networks import channels_last, features_of, head, image_encoder
from contigwas.pretrain.normalise import Normaliser, PixelScaler
from contigwas.pretrain.precision import exactly
from contigwas.pretrain.retrieval import chance, retrieval
from contigwas.pretrain.schedule import optimizer_and_schedule
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ValidationOutput:
    """What a batch of validation samples gives.

    losses: of each contrast, with the number of samples it is the mean of; features: of the trunk (samples, features);
    sides: both embeddings (samples, width) of each contrast, between which samples are retrieved.
    """

    losses: dict[str, tuple[int, float]]
    features: Tensor
    sides: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)


class Pretraining(lightning.LightningModule, ABC):
    """What the methods share; each adds `losses` (of a training batch) and `judge` (of a validation batch).

    `history` collects one dict an epoch. `generator` draws the augmentations, on the CPU. `batches` are the loader of
    training batches: its place in the epoch is part of what is saved. `trains` says whether anything is learned;
    `lower`, what the recipe can lower where memory does not suffice.
    """

    trains = True
    lower = "batch in the recipe, or images.size, or take a smaller image_encoder"

    def __init__(self, study: Study, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__()
        self.study, self.settings = study, settings
        self.pixels = pixels
        self.trunk = self.encoder(settings, study.photographs.shape)
        self.trunk.to(memory_format=channels_last(study.photographs.shape))
        self.augment = Augmentation.of(settings["augment"])
        self.generator = torch.Generator().manual_seed(seed)
        self.seed = seed
        self.history: list[dict[str, float]] = []
        self.batches: Batches | None = None
        self._train: list[dict[str, Tensor]] = []
        self._validation_outputs: list[ValidationOutput] = []

    @classmethod
    def of(
        cls,
        study: Study,
        pixels: PixelScaler,
        normalisers: Mapping[str, Normaliser],
        settings: Mapping[str, object],
        seed: int,
    ) -> "Pretraining":
        """The module of a recipe; `normalisers` of its modalities are passed over by a method that has none."""
        return cls(study, pixels, settings, seed)

    @staticmethod
    def encoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
        """The trunk, which embeds images of `shape`: (images, channels, sizes …) -> (images, features)."""
        return image_encoder(settings, shape)

    @staticmethod
    def drawer(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module | None:
        """What draws images of `shape`, scaled as the trunk takes them, from its features; None where nothing does."""
        return None

    @staticmethod
    def encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
        """One encoder a modality, from raw values; none here."""
        return nn.ModuleDict()

    def begin(self) -> None:
        """What happens once before training, and not again when a training goes on."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Scalar loss of each contrast of a training batch; their `total` is minimised."""

    @abstractmethod
    def judge(self, batch: Batch) -> ValidationOutput:
        """Losses, features and sides of a validation batch."""

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What is minimised: the mean over contrasts."""
        return torch.stack(list(losses.values())).mean()

    def directions(self, name: str) -> tuple[str, str]:
        """What the two ways of retrieval are called."""
        return "view_to_other", "other_to_view"

    @property
    def steps(self) -> int:
        """Of the whole training. Lightning's own count would set the loader up before its saved state is there."""
        return self.settings["epochs"] * (len(self.study.train) // self.settings["batch"])

    def head(self) -> nn.Sequential:
        """A new head on the trunk."""
        return head(features_of(self.trunk), self.settings["hidden"], self.settings["embedding"])

    def levels(self, batch: Batch) -> Tensor:
        """Levels 0 … 1 of the batch's images: (images, channels, height, width), or with depth."""
        pixels = self.study.photographs.gather(batch.images) if batch.pixels is None else batch.pixels
        return pixels.to(self.device, non_blocking=True).float() / 255

    def view(self, levels: Tensor, generator: torch.Generator, views: int = 1) -> Tensor:
        """A random view of each image, scaled for the trunk; `views` says how often the batch's images stand in it."""
        share = (rank(), world()) if self.training else (0, 1)
        with exactly(levels):  # a rotation in 8 bits would miss by whole pixels
            return self.pixels(self.augment(levels, generator, views, *share))

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, index: int) -> Batch:
        """Positions stay where the resident tensors are gathered; only what is gathered travels."""
        return batch

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The total of the losses, each of which is kept for the history."""
        losses = self.losses(batch)
        self._train.append({name: loss.detach() for name, loss in losses.items()})
        return self.total(losses)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Keep the embeddings: retrieval is among all validation samples, whom every process sees."""
        self._validation_outputs.append(self.judge(batch))

    def on_validation_epoch_start(self) -> None:
        """The same views in every epoch."""
        self.validation_generator = torch.Generator().manual_seed(self.seed)

    def on_train_epoch_end(self) -> None:
        """Write the row of history; raise UserError when the loss is no longer a number."""
        optimizer = self.optimizers()
        # over processes as well: some methods' losses are of a process's own samples
        own = {name: float(torch.stack([one[name] for one in self._train]).mean()) for name in self._train[0]}
        each = gathered_lists([own])
        train = {name: sum(one[name] for one in each) / len(each) for name in own}
        row = {"epoch": self.current_epoch + 1, "step": self.global_step, "lr": optimizer.param_groups[0]["lr"]}
        row["train_loss"] = self._told(train)
        self._require(math.isfinite(row["train_loss"]), "the training loss is not a number")
        self._require(self._finite(), "weights are no numbers")
        validation, figures = self._validate()
        row["val_loss"] = self._told({name: validation.get(name, 0.0) for name in train}) if validation else math.nan
        self._require(not validation or math.isfinite(row["val_loss"]), "the validation loss is not a number")
        row |= {f"train_{name}": value for name, value in train.items()}
        row |= {f"val_{name}": validation.get(name, float("nan")) for name in train} | figures
        self.history.append(row)
        self._train, self._validation_outputs = [], []
        if self.logger:
            reported = {name: value for name, value in row.items() if math.isfinite(value)}
            self.logger.log_metrics(reported, step=row["epoch"])
        log.info("epoch %d: loss %.4f, in validation %.4f", row["epoch"], row["train_loss"], row["val_loss"])

    def _told(self, losses: Mapping[str, float]) -> float:
        return float(self.total({name: torch.tensor(loss, dtype=torch.float64) for name, loss in losses.items()}))

    def healthy(self) -> bool:
        """Whether the losses of this epoch so far, and the weights, are numbers."""
        return all(bool(loss.isfinite()) for one in self._train for loss in one.values()) and self._finite()

    def _finite(self) -> bool:
        return all(bool(one.isfinite().all()) for one in self.state_dict().values())

    def _require(self, well: bool, what: str) -> None:
        if not well:
            raise UserError(f"{what} any more in epoch {self.current_epoch + 1}: lower lr in the recipe")

    def _validate(self) -> tuple[dict[str, float], dict[str, float]]:
        """Loss of each contrast (mean over batches, weighted by samples), and figures of the validation samples."""
        judged, losses, figures = self._validation_outputs, {}, {}
        if not judged:
            return losses, figures
        for name in dict.fromkeys(name for one in judged for name in one.losses):
            parts = [one.losses[name] for one in judged if name in one.losses]
            losses[name] = sum(samples * loss for samples, loss in parts) / sum(samples for samples, _ in parts)
        for name in dict.fromkeys(name for one in judged for name in one.sides):
            sides = [one.sides[name] for one in judged if name in one.sides]
            first, second = (torch.cat(side) for side in zip(*sides, strict=True))
            there, back = self.directions(name)
            for way, found in ((there, retrieval(first, second)), (back, retrieval(second, first))):
                figures |= {f"{way}@{k}": share for k, share in found.items()}
            figures |= {f"chance_{name}@{k}": share for k, share in chance(len(first)).items()}
            figures[f"alignment_{name}"] = alignment(first, second)
            figures[f"uniformity_{name}"] = uniformity(first)
        figures["rank_me"] = rank_me(torch.cat([one.features for one in judged]))
        return losses, figures

    def configure_optimizers(self) -> dict[str, object]:
        """The recipe's optimizer, and its schedule, stepped every batch."""
        optimizer, schedule = optimizer_and_schedule(self.named_parameters(), self.settings, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Everything that an epoch needs to go on as if nothing had happened: random states, history, running sums.

        Random states and sums are each process's own: the first one writes those of all.
        """
        gpu = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        train = [{name: loss.cpu() for name, loss in one.items()} for one in self._train]
        checkpoint["resume"] = {
            "processes": gathered_lists([{"torch": torch.get_rng_state(), "gpu": gpu, "train": train}]),
            "views": self.generator.get_state(),
            "batches": self.batches.state(),
            "history": self.history,
        }

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """The same again; torch's own generator follows when training starts."""
        self._resume = checkpoint["resume"]
        self.generator.set_state(self._resume["views"])
        self.batches.resume_from(self._resume["batches"])
        self.history = self._resume["history"]

    def on_train_start(self) -> None:
        """Go on with the random numbers, and the sums, of the moment that was saved; else with each process's own.

        Were the processes to resume from the one seed of their weights, they would drop and corrupt the same values.
        """
        resumed = self.__dict__.pop("_resume", None)
        if resumed is None:
            if rank() > 0:
                torch.manual_seed(self.seed + rank())
            return
        if len(resumed["processes"]) != world():
            self._go_on_with_others(resumed["processes"])
            return
        own = resumed["processes"][rank()]
        torch.set_rng_state(own["torch"])
        if own["gpu"] is not None:
            torch.cuda.set_rng_state(own["gpu"], self.device)
        self._train = [{name: loss.to(self.device) for name, loss in one.items()} for one in own["train"]]

    def _go_on_with_others(self, processes: list[dict]) -> None:
        """Another number of processes shares the batches now: new random numbers, and the running sums of all."""
        if rank() == 0:
            log.warning(
                "the state was saved by %d processes, %d go on: from here on dropout and corruption draw other numbers",
                len(processes),
                world(),
            )
        torch.manual_seed(self.seed + rank() + self.global_step)
        steps = zip(*(own["train"] for own in processes), strict=True)
        self._train = [
            {name: torch.stack([own[name] for own in step]).mean().to(self.device) for name in step[0]}
            for step in steps
        ]
