"""The weights of the epoch with the lowest validation loss."""

import math

import lightning
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor


class BestWeights(Checkpoint):  # Lightning calls a Checkpoint after the module's own hook
    """Keep a copy of the weights whenever the validation loss is the lowest so far; part of the saved state."""

    def __init__(self) -> None:
        self.epoch = 0
        self.loss = math.inf
        self.weights: dict[str, Tensor] | None = None

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Compare the row of history that the module has just appended with the best epoch."""
        row = module.history[-1]
        if row["val_loss"] < self.loss:
            self.epoch, self.loss = row["epoch"], row["val_loss"]
            self.weights = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}

    def state_dict(self) -> dict[str, object]:
        """Return the state for a later resume."""
        return {"epoch": self.epoch, "loss": self.loss, "weights": self.weights}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore the state."""
        self.epoch, self.loss, self.weights = state["epoch"], state["loss"], state["weights"]
