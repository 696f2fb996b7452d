"""One fold's network, opened for attribution: encoders that take normalised values, and the loss beside a reference."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from contigwas.config.models import read_schema
from contigwas.embed.embed import PIXELS
from contigwas.explain.contrast import Reference
from contigwas.explain.feature_names import describe
from contigwas.images.array import Photographs
from contigwas.pretrain.methods.mgi import SYMMETRIC
from contigwas.pretrain.networks import channels_last
from contigwas.pretrain.normalise import Normaliser
from contigwas.pretrain.pretrained import Pretrained, take_from
from contigwas.pretrain.sequence import GeneEncoder, scan_bytes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

IMAGES = 64  # that pass the trunk at a time, at most,
GRADIENTS = 16  # and so many times fewer pixels than `embed` takes where activations are kept: about 2.5 kB a pixel
FLOATS = 2**25  # of inputs and activations of an encoder that are held at a time, about


def at_once(shape: tuple[int, ...], device: torch.device, gradients: bool) -> int:
    """How many images of `shape` (channels, sizes …) may pass the trunk at a time, with gradients or without."""
    most = PIXELS[device.type] // (GRADIENTS if gradients else 1)
    return max(1, min(IMAGES, most // math.prod(shape[1:])))


class Given(nn.Module):
    """In the place of a normaliser, for values that are normalised already."""

    def forward(self, values: Tensor, components: Tensor | None = None) -> Tensor:
        """The values as they are."""
        return values


@dataclass(frozen=True)
class Side:
    """The encoder of a modality in two steps: what normalises raw values, and what embeds them.

    columns: where in the modality's file each of the encoder's features stands: int64 (kept,), -1 for one that is gone.
    """

    normaliser: Normaliser
    encoder: nn.Module
    columns: Tensor

    def inputs(self, values: Tensor, iids: list[str], components: pd.DataFrame | None) -> Tensor:
        """Raw values (samples, features) to what enters the encoder: float32 (samples, kept)."""
        beside = None if components is None else torch.from_numpy(components.loc[iids].to_numpy("float32"))
        to = self.normaliser.keep.device
        with torch.no_grad():
            return self.normaliser(values.to(to), None if beside is None else beside.to(to))

    @property
    def rows(self) -> int:
        """How many samples, or points of a path, may pass the encoder at once."""
        each = len(self.normaliser.keep)
        if isinstance(self.encoder, GeneEncoder):
            tokens = getattr(self.encoder.tokenise, "count", 1)
            each += scan_bytes(1, tokens, self.encoder.width, 1) // 4
        return max(1, FLOATS // (each + 4096))


@dataclass(frozen=True)
class Network:
    """The networks of a checkpoint on a device, with fixed weights."""

    trunk: nn.Module
    heads: dict[str, nn.Module]
    sides: dict[str, Side]
    temperature: float
    alpha: float
    bias: float | None
    fold: int
    recipe: Mapping[str, object]
    device: torch.device

    @classmethod
    def of(
        cls,
        state: Mapping[str, object],
        where: PathLike,
        which: str,
        device: torch.device,
        modalities: Mapping[str, PathLike],
    ) -> "Network":
        """From a checkpoint that was read from `where`; `which` are the weights of the last epoch or the best.

        `modalities`: the files whose values the encoders will be given.
        """
        learned = Pretrained.of(state, where, which)
        recipe, shape = learned.settings, learned.shape
        trunk = nn.Sequential(learned.pixels(), learned.trunk())
        trunk = _fixed(trunk, device).to(memory_format=channels_last(shape))
        heads = {name: _fixed(learned.head(name), device) for name in learned.modalities}
        sides = {}
        for name in learned.modalities:
            columns = learned.columns(name, describe(modalities[name])["feature"], modalities[name])
            encoder = _fixed(take_from(learned.encoder(name), columns), device)
            normaliser, encoder.normaliser = encoder.normaliser, Given()
            sides[name] = Side(normaliser, encoder, columns)
        temperature = recipe["temperature"]
        if "log_temperature" in learned.weights:
            temperature = math.exp(float(learned.weights["log_temperature"]))
        bias = float(learned.weights["bias"]) if recipe.get("loss") == "siglip" else None
        own = read_schema()["$defs"][recipe["method"]]["properties"]
        alpha = recipe["alpha"] if "alpha" in own else SYMMETRIC
        return cls(trunk, heads, sides, float(temperature), alpha, bias, int(state["fold"]), recipe, device)

    def features(self, photographs: Photographs) -> Tensor:
        """The trunk's features (images, features) of all images, on the device."""
        result, images = [], at_once(photographs.shape, self.device, gradients=False)
        with torch.no_grad():
            for part in torch.arange(len(photographs.row)).split(images):
                result.append(self.trunk(photographs.gather(part).to(self.device).float() / 255).float())
        return self.finite(torch.cat(result), "features")

    def images(self, modality: str, features: Tensor) -> Tensor:
        """Embeddings (samples, width) of the images, for the contrast with a modality."""
        with torch.no_grad():
            return self.finite(self.heads[modality](features), "embeddings")

    def reference(self, modality: str, images: Tensor, inputs: Tensor) -> Reference:
        """The reference batch of a modality, from embeddings of images and normalised values (samples, kept)."""
        side = self.sides[modality]
        with torch.no_grad():
            genetics = torch.cat([side.encoder(part) for part in inputs.split(side.rows)])
        genetics = self.finite(genetics, "embeddings")
        return Reference.of(images, genetics, self.temperature, self.alpha, self.bias)

    def finite(self, values: Tensor, what: str) -> Tensor:
        """`values`, or a UserError where some are no numbers."""
        if not bool(values.isfinite().all()):
            raise UserError(
                f"the network of fold {self.fold} gives {what} that are no numbers: train again with a lower lr"
            )
        return values


def _fixed(module: nn.Module, device: torch.device) -> nn.Module:
    return module.requires_grad_(False).eval().to(device)
