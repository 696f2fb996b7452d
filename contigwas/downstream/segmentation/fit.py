"""One network fitted to the labelled images of some people: a fixed number of steps, then the last weights."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import lightning
import numpy as np
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.utilities.exceptions import SIGTERMException
from monai.losses import DiceCELoss
from torch import Tensor, nn

from contigwas.downstream.segmentation.views import Views
from contigwas.errors import UserError
from contigwas.pretrain.data import Genetics
from contigwas.pretrain.networks import channels_last
from contigwas.pretrain.precision import exactly

RISE = 0.2  # share of the steps over which the learning rate rises
BATCH = 64  # images at most that are predicted at a time,
PIXELS = 2**22  # and pixels of all of them together


@dataclass(frozen=True)
class Images:
    """Labelled images as tensors. pixels: uint8 (images, channels, sizes …); masks: uint8 (images, sizes …); person: of
    each image, int64 (images,); genes of the people, or None.
    """

    pixels: Tensor
    masks: Tensor
    person: Tensor
    genes: Genetics | None = None

    def levels(self, images: Tensor, device: torch.device) -> Tensor:
        """Levels 0 … 1 of some images."""
        return self.pixels[images].to(device, non_blocking=True).float() / 255

    def genes_of(self, images: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor] | None:
        """Values and components of those of the images' people who have genes, and who has them."""
        if self.genes is None:
            return None
        row = self.genes.row[self.person[images]]
        return *self.genes.gather(row[row >= 0], device), (row >= 0).to(device)


class Drawn:
    """`steps` batches of `images`, each image as often as any other but for one; a batch is always full."""

    def __init__(self, images: Tensor, batch: int, steps: int, seed: int) -> None:
        self.images, self.batch, self.steps = images, batch, steps
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Tensor]:
        rounds = math.ceil(self.steps * self.batch / len(self.images))
        order = torch.cat([torch.randperm(len(self.images), generator=self.generator) for _ in range(rounds)])
        return iter(self.images[order[: self.steps * self.batch]].split(self.batch))


class Segmenter(lightning.LightningModule):
    """Dice and cross-entropy of the classes, AdamW, a one-cycle schedule; what was pretrained learns more slowly."""

    def __init__(
        self, network: nn.Module, data: Images, classes: int, settings: Mapping[str, object], seed: int
    ) -> None:
        super().__init__()
        self.network, self.data, self.classes, self.settings = network, data, classes, settings
        self.views = Views.of(settings["augment"])
        self.generator = torch.Generator().manual_seed(seed)
        # over the whole batch: of an image without a class the Dice of that class says little
        self.loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
        self.pretrained = False

    def transfer_batch_to_device(self, batch: Tensor, device: torch.device, index: int) -> Tensor:
        """Positions stay; what is gathered travels."""
        return batch

    def training_step(self, images: Tensor, index: int) -> Tensor:
        """The loss of a random view of each image."""
        levels = self.data.levels(images, self.device)
        masks = self.data.masks[images].to(self.device).long()
        with exactly(levels):
            levels, masks = self.views(levels, masks, self.classes, self.generator)
        logits = self.network(levels, self.data.genes_of(images, self.device))
        with exactly(levels):
            return self.loss(logits.float(), masks[:, None])

    def configure_optimizers(self) -> dict[str, object]:
        """Two groups: what pretraining learned, and the rest."""
        lr, decay = self.settings["lr"], self.settings["weight_decay"]
        learned = {id(one) for part in self.network.learned for one in part.parameters()} if self.pretrained else set()
        parameters = [one for one in self.network.parameters() if one.requires_grad]
        groups = [
            {"params": [one for one in parameters if id(one) not in learned], "lr": lr},
            {"params": [one for one in parameters if id(one) in learned], "lr": lr * self.settings["trunk_lr"]},
        ]
        groups = [group for group in groups if group["params"]]
        optimizer = torch.optim.AdamW(groups, weight_decay=decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, [group["lr"] for group in groups], total_steps=self.settings["steps"], pct_start=RISE
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def fit(
    network: nn.Module,
    data: Images,
    images: np.ndarray,
    classes: int,
    settings: Mapping[str, object],
    pretrained: bool,
    seeds: tuple[int, int],
    name: str,
) -> nn.Module:
    """Train `network` on `images` (positions in `data`) and return it, in evaluation mode.

    `seeds` draw the order of images and their views: arms that share them see the same. Raises UserError when a weight
    is no longer a number.
    """
    gpu = torch.cuda.is_available()
    network.to(memory_format=channels_last(data.pixels.shape[1:]))
    module = Segmenter(network, data, classes, settings, seeds[1])
    module.pretrained = pretrained
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="gpu" if gpu else "cpu",
        devices=1,
        precision="bf16-mixed" if gpu and settings["bf16"] else "32-true",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        plugins=[LightningEnvironment()],  # a scheduler's own would start one process a task
    )
    batches = Drawn(torch.from_numpy(images), settings["batch"], settings["steps"], seeds[0])
    try:
        trainer.fit(module, batches, weights_only=True)
    except SIGTERMException:
        raise UserError("the fits were stopped by a signal: run the same command again") from None
    if not all(bool(one.isfinite().all()) for one in network.state_dict().values()):
        raise UserError(f"the arm {name} has weights that are no numbers any more: lower lr of the task")
    return network.eval()


def predict(network: nn.Module, data: Images, images: np.ndarray) -> Tensor:
    """The class of every pixel of `images`: uint8 (images, sizes …) on the CPU."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    at_once = max(1, min(BATCH, PIXELS // math.prod(data.masks.shape[1:])))
    found = []
    with torch.inference_mode():
        for part in torch.from_numpy(images).split(at_once):
            logits = network(data.levels(part, device), data.genes_of(part, device))
            found.append(logits.argmax(dim=1).byte().cpu())
    return torch.cat(found)


def counts(predicted: Tensor, truth: Tensor, classes: int) -> np.ndarray:
    """Pixels of each class but background in both, predicted, and true: int64 (images, classes - 1, 3)."""
    rows = []
    for one, other in zip(predicted, truth, strict=True):
        pairs = (one.long() * classes + other.long()).flatten()
        table = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
        rows.append(torch.stack([table.diagonal(), table.sum(dim=1), table.sum(dim=0)], dim=1)[1:])
    return torch.stack(rows).numpy()
