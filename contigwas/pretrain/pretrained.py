"""What training wrote, read again: the trunk, its heads and the encoders of modalities, each when it is asked for."""

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
    """A checkpoint as `contigwas.pretrain.train` writes it; raises UserError when it is something else."""
    path = require(path, "the checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception:  # a file of anything raises anything
        state = None
    if not isinstance(state, dict) or not state.keys() >= KEYS:
        raise UserError(f"{path} is not a checkpoint of contigwas: remove it and run pretrain again")
    return state


@dataclass(frozen=True)
class Pretrained:
    """The networks of a checkpoint, in evaluation mode on the CPU.

    Each raises UserError where its weights are not those of the network that the checkpoint's settings describe.
    """

    state: Mapping[str, object]
    weights: Mapping[str, Tensor]
    where: PathLike

    @classmethod
    def of(cls, state: Mapping[str, object], where: PathLike, which: str = "last") -> "Pretrained":
        """From a checkpoint that was read from `where`: the weights of the last epoch, or those of the best."""
        if which == "best":
            if state["best_state_dict"]:
                return cls(state, state["best_state_dict"], where)
            if int(state["settings"].get("epochs", 0)):
                log.warning("%s has no best weights, because nobody validated: the last ones are taken", where)
        return cls(state, state["state_dict"], where)

    @property
    def settings(self) -> Mapping[str, object]:
        """The recipe that was trained."""
        return self.state["settings"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image: channels, then the sizes."""
        return tuple(self.state["shape"])

    @property
    def modalities(self) -> list[str]:
        """Those that there is an encoder of."""
        return [*dict.fromkeys(name.split(".")[1] for name in self.weights if name.startswith("genetics."))]

    def pixels(self) -> PixelScaler:
        """Levels 0 … 1 to what the trunk takes."""
        return self._filled("pixels", lambda: PixelScaler(torch.zeros(self.shape[0]), torch.ones(self.shape[0])))

    def trunk(self) -> nn.Module:
        """(images, channels, sizes …) -> (images, features)."""
        return self._filled("trunk", self.new_trunk)

    def new_trunk(self) -> nn.Module:
        """The same network with weights drawn anew, from torch's generator."""
        return self._method().encoder({**self.settings, "weights": None}, self.shape)

    def head(self, name: str) -> nn.Module:
        """(images, features) -> (images, embedding); raises UserError when there is no head of that name."""
        if f"heads.{name}.0.weight" not in self.weights:
            raise UserError(f"config: embed.layer is {name}, but {self.where} has no head of that name: write trunk")
        return self._filled(
            f"heads.{name}",
            lambda: head(features_of(self.trunk()), self.settings["hidden"], self.settings["embedding"]),
        )

    def drawer(self) -> nn.Module:
        """(images, features) -> (images, channels, sizes …) as `pixels` gives them, of a method that draws images."""
        return self._filled("decoder", lambda: self._method().drawer(self.settings, self.shape))

    def encoder(self, modality: str) -> nn.Module:
        """Raw values of a modality (samples, features as in its file) -> (samples, embedding)."""
        return self._filled(f"genetics.{modality}", lambda: self.new_encoder(modality))

    def new_encoder(self, modality: str) -> nn.Module:
        """The same network with weights drawn anew; its normaliser is the fitted one."""
        fitted = self._part(f"genetics.{modality}.normaliser")
        return self._method().encoders({modality: Normaliser(**fitted)}, self.settings)[modality]

    def columns(self, modality: str, features: Sequence[str], path: PathLike) -> Tensor:
        """Where the features that the encoder takes stand now among the `features` of the file at `path`, by name.

        int64 (kept,), -1 for one that the file has no more: a modality that is made again after samples left may lack a
        feature, or have one more. Raises UserError where the file has none of them.
        """
        names = self.state.get("features", {}).get(modality)
        if names is None:
            raise UserError(f"{self.where} does not name the features of {modality} that it learned from: train again")
        found = pd.Index(features).get_indexer(pd.Index(names))
        gone = int((found < 0).sum())
        if gone == len(found):
            raise UserError(
                f"{path} has none of the {gone:,} features of {modality} that {self.where} learned from: the two "
                "are not of one run, train again"
            )
        if gone:
            log.warning(
                "fold %d: %s lacks %d of the %d features of %s that the network learned from: training means stand in "
                "for them",
                int(self.state["fold"]),
                path,
                gone,
                len(found),
                modality,
            )
        return torch.from_numpy(found)

    def _method(self) -> type:
        return METHODS[self.settings["method"]]

    def _part(self, name: str) -> dict[str, Tensor]:
        prefix = f"{name}."
        return {key.removeprefix(prefix): value for key, value in self.weights.items() if key.startswith(prefix)}

    def _filled(self, name: str, make: Callable[[], nn.Module]) -> nn.Module:
        try:
            module = make()
            module.load_state_dict(self._part(name))
        except (RuntimeError, KeyError, TypeError):
            recipe = self.settings
            raise UserError(
                f"{self.where}: its weights are not those of the network that its settings describe (method "
                f"{recipe.get('method')}, image_encoder {recipe.get('image_encoder')}, width {recipe.get('width')}): "
                "it is of another version or was altered, so supply the file as training wrote it, or train again"
            ) from None
        return module.eval()


def take_from(encoder: nn.Module, columns: Tensor) -> nn.Module:
    """The same encoder, which now reads `columns` (kept,) of a modality; -1: a feature that stays at its mean."""
    fitted = encoder.normaliser
    there = columns >= 0
    # with a scale and slopes of 0 nothing of the column that is read in its place, nor of components, comes through
    slopes = None if fitted.slopes is None else fitted.slopes * there
    encoder.normaliser = Normaliser(columns.clamp(min=0), fitted.mean, fitted.scale * there, slopes, fitted.rest)
    return encoder
