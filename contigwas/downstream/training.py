"""Training of a network for a downstream task: a fixed number of steps, after which the last weights are used."""

import math
from collections.abc import Iterator, Mapping

import lightning
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor, nn

from contigwas.runtime.errors import UserError

WARMUP = 0.2  # share of the steps over which the learning rate rises


class FixedStepBatches:
    """`steps` full batches of `images`. How often two images are drawn differs by at most one."""

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
    """AdamW with a one-cycle schedule. If `pretrained`, the modules `network.learned` have a lower learning rate."""

    def __init__(self, network: nn.Module, settings: Mapping[str, object], pretrained: bool, seed: int) -> None:
        super().__init__()
        self.network, self.settings, self.pretrained = network, settings, pretrained
        self.generator = torch.Generator().manual_seed(seed)  # for random views

    def transfer_batch_to_device(self, batch: Tensor, device: torch.device, index: int) -> Tensor:
        """Leave the batch on the CPU: it holds positions of images, and only the gathered images are moved."""
        return batch

    def configure_optimizers(self) -> dict[str, object]:
        """Return the optimizer with two parameter groups: pretrained modules, and all other parameters."""
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
            optimizer, [group["lr"] for group in groups], total_steps=self.settings["steps"], pct_start=WARMUP
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train_network(module: Learner, images: Tensor, seed: int, name: str) -> nn.Module:
    """Train the network of `module` on `images` (positions) and return it in evaluation mode.

    `seed` determines the order of the images; `name` is the arm in messages. During training all parts are in training
    mode, so BatchNorm and dropout act alike in every arm. Raises UserError if training is stopped by a signal or a
    weight is not finite.
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
        plugins=[LightningEnvironment()],  # the plugin of a cluster scheduler would start one process per task
    )
    batches = FixedStepBatches(images, settings["batch"], settings["steps"], seed)
    module.network.train()  # fit does not change modes, and networks of a checkpoint are in evaluation mode
    try:
        trainer.fit(module, batches, weights_only=True)
    except SIGTERMException:
        raise UserError("The fits were stopped by a signal: run the same command again") from None
    if not all(bool(one.isfinite().all()) for one in module.network.state_dict().values()):
        raise UserError(f"arm {name}: training gave weights that are not finite numbers. Lower lr of the task.")
    return module.network.eval()
