"""The common LightningModule of all methods: one optimizer, one schedule step per batch, one history row per epoch."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import lightning
import torch
from torch import Tensor, nn

from contigwas.pretrain.augment import Augmentation
from contigwas.pretrain.data import Batch, Batches, TrainingData
from contigwas.pretrain.distributed import gather_lists, rank, world_size
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
    """The output of a batch of validation samples.

    Attributes:
        losses: of each contrast, the number of samples and their mean loss.
        features: trunk features (samples, features).
        sides: of each contrast, both embeddings (samples, width), between which retrieval is measured.
    """

    losses: dict[str, tuple[int, float]]
    features: Tensor
    sides: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)


class Pretraining(lightning.LightningModule, ABC):
    """Base class of the methods; each adds `losses` (training batch) and `validation_output` (validation batch).

    Attributes:
        trains: whether the method has trainable steps.
        lower: recipe keys to lower when memory is insufficient, for the message.
        history: one dict per epoch.
        generator: random numbers of the augmentations, on the CPU.
        batches: the loader of training batches, whose position in the epoch is part of the saved state.
    """

    trains = True
    lower = "batch in the recipe, or images.size, or use a smaller image_encoder"

    def __init__(self, data: TrainingData, pixels: PixelScaler, settings: Mapping[str, object], seed: int) -> None:
        super().__init__()
        self.data, self.settings = data, settings
        self.pixels = pixels
        self.trunk = self.encoder(settings, data.photographs.shape)
        self.trunk.to(memory_format=channels_last(data.photographs.shape))
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
        data: TrainingData,
        pixels: PixelScaler,
        normalisers: Mapping[str, Normaliser],
        settings: Mapping[str, object],
        seed: int,
    ) -> "Pretraining":
        """Create the module of a recipe; methods without genetics ignore `normalisers`."""
        return cls(data, pixels, settings, seed)

    @staticmethod
    def encoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module:
        """Return the trunk for images of `shape`: (images, channels, sizes …) -> (images, features)."""
        return image_encoder(settings, shape)

    @staticmethod
    def image_decoder(settings: Mapping[str, object], shape: tuple[int, ...]) -> nn.Module | None:
        """Return the decoder from features to scaled images of `shape`; None for a method without one."""
        return None

    @staticmethod
    def encoders(normalisers: Mapping[str, Normaliser], settings: Mapping[str, object]) -> nn.ModuleDict:
        """Return one encoder of raw values per modality; empty here."""
        return nn.ModuleDict()

    def begin(self) -> None:
        """Prepare a new training run; not called when a run resumes."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar loss of each contrast of a training batch; their `total` is minimised."""

    @abstractmethod
    def validation_output(self, batch: Batch) -> ValidationOutput:
        """Return losses, features and sides of a validation batch."""

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the minimised loss: the mean over contrasts."""
        return torch.stack(list(losses.values())).mean()

    def directions(self, name: str) -> tuple[str, str]:
        """Return the names of the two retrieval directions in the history."""
        return "view_to_other", "other_to_view"

    @property
    def steps(self) -> int:
        """The number of steps of the whole training.

        Lightning's own count would set up the loader before its saved state is restored.
        """
        return self.settings["epochs"] * (len(self.data.train) // self.settings["batch"])

    def head(self) -> nn.Sequential:
        """Return a new projection head on the trunk."""
        return head(features_of(self.trunk), self.settings["hidden"], self.settings["embedding"])

    def levels(self, batch: Batch) -> Tensor:
        """Return levels 0 … 1 of the batch's images: (images, channels, height, width), or with depth."""
        pixels = self.data.photographs.gather(batch.images) if batch.pixels is None else batch.pixels
        return pixels.to(self.device, non_blocking=True).float() / 255

    def view(self, levels: Tensor, generator: torch.Generator, views: int = 1) -> Tensor:
        """Return a random view of each image, scaled for the trunk.

        `levels` holds the images of the batch `views` times.
        """
        share = (rank(), world_size()) if self.training else (0, 1)
        with exactly(levels):  # bfloat16 coordinates would shift a rotation by whole pixels
            return self.pixels(self.augment(levels, generator, views, *share))

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, index: int) -> Batch:
        """Keep the positions on the CPU: pixels and genetics are moved after they are gathered."""
        return batch

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the total of the losses, and keep each loss for the history."""
        losses = self.losses(batch)
        self._train.append({name: loss.detach() for name, loss in losses.items()})
        return self.total(losses)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Keep the output: retrieval is among all validation samples, and every process validates all of them."""
        self._validation_outputs.append(self.validation_output(batch))

    def on_validation_epoch_start(self) -> None:
        """Reset the generator, so that every epoch validates the same views."""
        self.validation_generator = torch.Generator().manual_seed(self.seed)

    def on_train_epoch_end(self) -> None:
        """Append a row to the history. Raises UserError when a loss or a weight is not finite."""
        optimizer = self.optimizers()
        # average over processes: some methods compute their loss on the process's own samples
        own = {name: float(torch.stack([one[name] for one in self._train]).mean()) for name in self._train[0]}
        each = gather_lists([own])
        train = {name: sum(one[name] for one in each) / len(each) for name in own}
        row = {"epoch": self.current_epoch + 1, "step": self.global_step, "lr": optimizer.param_groups[0]["lr"]}
        row["train_loss"] = self._total_of(train)
        self._require(math.isfinite(row["train_loss"]), "the training loss")
        self._require(self._finite(), "a weight")
        validation, measures = self._validate()
        row["val_loss"] = (
            self._total_of({name: validation.get(name, 0.0) for name in train}) if validation else math.nan
        )
        self._require(not validation or math.isfinite(row["val_loss"]), "the validation loss")
        row |= {f"train_{name}": value for name, value in train.items()}
        row |= {f"val_{name}": validation.get(name, float("nan")) for name in train} | measures
        self.history.append(row)
        self._train, self._validation_outputs = [], []
        if self.logger:
            finite = {name: value for name, value in row.items() if math.isfinite(value)}
            self.logger.log_metrics(finite, step=row["epoch"])
        log.info("epoch %d: training loss %.4f, validation loss %.4f", row["epoch"], row["train_loss"], row["val_loss"])

    def _total_of(self, losses: Mapping[str, float]) -> float:
        """Return the total of losses as floats."""
        return float(self.total({name: torch.tensor(loss, dtype=torch.float64) for name, loss in losses.items()}))

    def healthy(self) -> bool:
        """Return whether the losses of this epoch so far, and the weights, are finite."""
        return all(bool(loss.isfinite()) for one in self._train for loss in one.values()) and self._finite()

    def _finite(self) -> bool:
        return all(bool(value.isfinite().all()) for value in self.state_dict().values())

    def _require(self, finite: bool, what: str) -> None:
        if not finite:
            raise UserError(f"{what} is no longer finite in epoch {self.current_epoch + 1}: lower lr in the recipe")

    def _validate(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the loss of each contrast (mean over samples), and measures of the validation samples."""
        outputs, losses, measures = self._validation_outputs, {}, {}
        if not outputs:
            return losses, measures
        for name in dict.fromkeys(name for one in outputs for name in one.losses):
            parts = [one.losses[name] for one in outputs if name in one.losses]
            losses[name] = sum(samples * loss for samples, loss in parts) / sum(samples for samples, _ in parts)
        for name in dict.fromkeys(name for one in outputs for name in one.sides):
            sides = [one.sides[name] for one in outputs if name in one.sides]
            first, second = (torch.cat(side) for side in zip(*sides, strict=True))
            forward, backward = self.directions(name)
            for direction, recalls in ((forward, retrieval(first, second)), (backward, retrieval(second, first))):
                measures |= {f"{direction}@{k}": recall for k, recall in recalls.items()}
            measures |= {f"chance_{name}@{k}": recall for k, recall in chance(len(first)).items()}
            measures[f"alignment_{name}"] = alignment(first, second)
            measures[f"uniformity_{name}"] = uniformity(first)
        measures["rank_me"] = rank_me(torch.cat([one.features for one in outputs]))
        return losses, measures

    def configure_optimizers(self) -> dict[str, object]:
        """Return the recipe's optimizer, and its schedule with one step per batch."""
        optimizer, schedule = optimizer_and_schedule(self.named_parameters(), self.settings, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Add everything that an exact continuation needs: random states, history and running sums.

        Random states and sums differ between processes: the first process writes those of all.
        """
        gpu = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        train = [{name: loss.cpu() for name, loss in one.items()} for one in self._train]
        checkpoint["resume"] = {
            "processes": gather_lists([{"torch": torch.get_rng_state(), "gpu": gpu, "train": train}]),
            "views": self.generator.get_state(),
            "batches": self.batches.state(),
            "history": self.history,
        }

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Restore all of that except torch's generator, which `on_train_start` sets."""
        self._resume = checkpoint["resume"]
        self.generator.set_state(self._resume["views"])
        self.batches.resume_from(self._resume["batches"])
        self.history = self._resume["history"]

    def on_train_start(self) -> None:
        """Restore the saved random states and sums; in a new run, give each process its own random numbers.

        With one common seed, all processes would drop and corrupt the same values.
        """
        resumed = self.__dict__.pop("_resume", None)
        if resumed is None:
            if rank() > 0:
                torch.manual_seed(self.seed + rank())
            return
        if len(resumed["processes"]) != world_size():
            self._resume_with_other_processes(resumed["processes"])
            return
        saved = resumed["processes"][rank()]
        torch.set_rng_state(saved["torch"])
        if saved["gpu"] is not None:
            torch.cuda.set_rng_state(saved["gpu"], self.device)
        self._train = [{name: loss.to(self.device) for name, loss in one.items()} for one in saved["train"]]

    def _resume_with_other_processes(self, processes: list[dict]) -> None:
        """Resume with another number of processes: new random numbers, and the running sums of all."""
        if rank() == 0:
            log.warning(
                "the state was saved by %d processes and %d resume it: dropout and corruption use other random numbers",
                len(processes),
                world_size(),
            )
        torch.manual_seed(self.seed + rank() + self.global_step)
        steps = zip(*(own["train"] for own in processes), strict=True)
        self._train = [
            {name: torch.stack([own[name] for own in step]).mean().to(self.device) for name in step[0]}
            for step in steps
        ]
