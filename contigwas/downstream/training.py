"""How a network of a task is trained, whatever it learns: a fixed number of steps, then the last weights."""

import math
from collections.abc import Iterator, Mapping

import lightning
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor, nn

from contigwas.runtime.errors import UserError

RISE = 0.2  # share of the steps over which the learning rate rises


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


class Learner(lightning.LightningModule):
    """AdamW and a one-cycle schedule; what of `network.learned` was `pretrained` learns more slowly."""

    def __init__(self, network: nn.Module, settings: Mapping[str, object], pretrained: bool, seed: int) -> None:
        super().__init__()
        self.network, self.settings, self.pretrained = network, settings, pretrained
        self.generator = torch.Generator().manual_seed(seed)  # of the views

    def transfer_batch_to_device(self, batch: Tensor, device: torch.device, index: int) -> Tensor:
        """Positions stay; what is gathered travels."""
        return batch

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


def trained(module: Learner, images: Tensor, seed: int, name: str) -> nn.Module:
    """The module's network after the steps of its settings on `images` (positions), in evaluation mode.

    It trains in training mode, wherever its parts come from: BatchNorm and dropout of every arm act alike.

    `seed` draws their order. Raises UserError when a weight is no longer a number; `name` is the arm's.
    """
    gpu, settings = torch.cuda.is_available(), module.settings
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
    batches = Drawn(images, settings["batch"], settings["steps"], seed)
    module.network.train()  # fit leaves modes alone, and what was read from a checkpoint comes in evaluation
    try:
        trainer.fit(module, batches, weights_only=True)
    except SIGTERMException:
        raise UserError("the fits were stopped by a signal: run the same command again") from None
    if not all(bool(one.isfinite().all()) for one in module.network.state_dict().values()):
        raise UserError(f"the arm {name} has weights that are no numbers any more: lower lr of the task")
    return module.network.eval()
