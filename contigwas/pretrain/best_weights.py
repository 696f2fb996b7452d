"""The weights of the epoch with the least validation loss, beside those of the last."""

import math

import lightning
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor


class Best(Checkpoint):  # Lightning calls a Checkpoint after the module's own hook
    """Keeps a copy of the weights whenever the validation loss is the least so far; part of the saved state."""

    def __init__(self) -> None:
        self.epoch = 0
        self.loss = math.inf
        self.weights: dict[str, Tensor] | None = None

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Look at the row of history that the module has just written."""
        row = module.history[-1]
        if row["val_loss"] < self.loss:
            self.epoch, self.loss = row["epoch"], row["val_loss"]
            self.weights = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}

    def state_dict(self) -> dict[str, object]:
        """For a run that goes on later."""
        return {"epoch": self.epoch, "loss": self.loss, "weights": self.weights}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on from there."""
        self.epoch, self.loss, self.weights = state["epoch"], state["loss"], state["weights"]
