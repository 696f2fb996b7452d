"""Networks of a checkpoint: the trunk, its heads and the encoders of modalities, each built on request."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from contigwas.pretrain.methods import METHODS
from contigwas.pretrain.networks import features_of, head
from contigwas.pretrain.normalise import Normaliser, PixelScaler
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)
KEYS = {"settings", "fold", "state_dict", "best_state_dict", "shape", "roles"}


def read_checkpoint(path: PathLike) -> dict:
    """Read a checkpoint that `contigwas.pretrain.train` wrote. Raises UserError for any other file."""
    path = require(path, "the checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception:  # torch.load raises many types for files of other formats
        state = None
    if not isinstance(state, dict) or not state.keys() >= KEYS:
        raise UserError(f"{path} is not a checkpoint of contigwas: remove it and run pretrain again")
    return state


@dataclass(frozen=True)
class Pretrained:
    """The networks of a checkpoint, in evaluation mode on the CPU.

    Every method that returns a network raises UserError if the weights do not fit the settings of the checkpoint.

    Attributes:
        state: the checkpoint as `read_checkpoint` returns it.
        weights: the state dict that is used.
        path: the file, for messages.
    """

    state: Mapping[str, object]
    weights: Mapping[str, Tensor]
    path: PathLike

    @classmethod
    def of(cls, state: Mapping[str, object], path: PathLike, which: str = "last") -> "Pretrained":
        """Select the weights of the last or the best epoch of a checkpoint that was read from `path`."""
        if which == "best":
            if state["best_state_dict"]:
                return cls(state, state["best_state_dict"], path)
            if int(state["settings"].get("epochs", 0)):
                log.warning(
                    "%s: no best weights without validation samples; the weights of the last epoch are used", path
                )
        return cls(state, state["state_dict"], path)

    @property
    def settings(self) -> Mapping[str, object]:
        """The recipe, with the settings of its training."""
        return self.state["settings"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image: channels, then the sizes."""
        return tuple(self.state["shape"])

    @property
    def modalities(self) -> list[str]:
        """The modalities with an encoder."""
        return [*dict.fromkeys(name.split(".")[1] for name in self.weights if name.startswith("genetics."))]

    def pixels(self) -> PixelScaler:
        """Return the scaler from levels 0 … 1 to the input of the trunk."""
        return self._load("pixels", lambda: PixelScaler(torch.zeros(self.shape[0]), torch.ones(self.shape[0])))

    def trunk(self) -> nn.Module:
        """Return the trunk: (images, channels, sizes …) -> (images, features)."""
        return self._load("trunk", self.new_trunk)

    def new_trunk(self) -> nn.Module:
        """Return the same network with new random weights from torch's generator."""
        return self._method().encoder({**self.settings, "weights": None}, self.shape)

    def head(self, name: str) -> nn.Module:
        """Return a head: (images, features) -> (images, embedding). Raises UserError if none has that name."""
        if f"heads.{name}.0.weight" not in self.weights:
            raise UserError(f"config: embed.layer is {name}, but {self.path} has no head of that name: write trunk")
        return self._load(
            f"heads.{name}",
            lambda: head(features_of(self.trunk()), self.settings["hidden"], self.settings["embedding"]),
        )

    def decoder(self) -> nn.Module:
        """Return the image decoder: (images, features) -> (images, channels, sizes …), scaled as by `pixels`.

        Only methods with an image decoder have one.
        """
        return self._load("decoder", lambda: self._method().image_decoder(self.settings, self.shape))

    def encoder(self, modality: str) -> nn.Module:
        """Return the encoder of a modality: raw values (samples, features as in its file) -> (samples, embedding)."""
        return self._load(f"genetics.{modality}", lambda: self.new_encoder(modality))

    def new_encoder(self, modality: str) -> nn.Module:
        """Return the same network with new random weights and the fitted normaliser."""
        fitted = self._weights_of(f"genetics.{modality}.normaliser")
        return self._method().encoders({modality: Normaliser(**fitted)}, self.settings)[modality]

    def columns(self, modality: str, features: Sequence[str], path: PathLike) -> Tensor:
        """Return the positions of the encoder's features among the `features` of the file at `path`, matched by name.

        int64 (kept,); -1 for a feature that the file does not have. A modality that was recomputed after withdrawals
        may have more or fewer features than at training time. Raises UserError when the file has none of the features.
        """
        names = self.state.get("features", {}).get(modality)
        if names is None:
            raise UserError(f"{self.path} has no list of the features of {modality}: run pretrain again")
        found = pd.Index(features).get_indexer(pd.Index(names))
        missing = int((found < 0).sum())
        if missing == len(found):
            raise UserError(
                f"{path} has none of the {missing:,} features of {modality} that {self.path} was trained with: the "
                "files are from different runs, so run pretrain again"
            )
        if missing:
            log.warning(
                "fold %d: %s does not have %d of the %d features of %s that the network was trained with: training "
                "means replace them",
                int(self.state["fold"]),
                path,
                missing,
                len(found),
                modality,
            )
        return torch.from_numpy(found)

    def _method(self) -> type:
        return METHODS[self.settings["method"]]

    def _weights_of(self, name: str) -> dict[str, Tensor]:
        prefix = f"{name}."
        return {key.removeprefix(prefix): value for key, value in self.weights.items() if key.startswith(prefix)}

    def _load(self, name: str, build: Callable[[], nn.Module]) -> nn.Module:
        """Build a network and load its weights. Raises UserError when the weights do not fit."""
        try:
            module = build()
            module.load_state_dict(self._weights_of(name))
        except (RuntimeError, KeyError, TypeError):
            recipe = self.settings
            raise UserError(
                f"{self.path}: the weights do not fit the network that the settings describe (method "
                f"{recipe.get('method')}, image_encoder {recipe.get('image_encoder')}, width {recipe.get('width')}): "
                "the file is from another version or was altered. Restore the original file, or run pretrain again"
            ) from None
        return module.eval()


def take_from(encoder: nn.Module, columns: Tensor) -> nn.Module:
    """Make the encoder read `columns` (kept,) of a modality, and return it; -1 is a feature that stays at its mean."""
    fitted = encoder.normaliser
    present = columns >= 0
    # an absent feature reads column 0; with a scale and slopes of 0, neither that column nor the components have an
    # effect
    slopes = None if fitted.slopes is None else fitted.slopes * present
    encoder.normaliser = Normaliser(columns.clamp(min=0), fitted.mean, fitted.scale * present, slopes, fitted.rest)
    return encoder
