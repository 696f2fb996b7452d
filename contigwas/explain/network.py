"""One fold's network for attribution: encoders of normalised values, and the loss with a reference batch."""

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

MAX_IMAGES = 64  # that pass the trunk at a time
GRADIENTS = 16  # ratio of the pixels of `embed` to those of a pass that keeps activations, about 2.5 kB per pixel
FLOATS = 2**25  # approximate number of inputs and activations of an encoder that are held at a time


def at_once(shape: tuple[int, ...], device: torch.device, gradients: bool) -> int:
    """Return how many images of `shape` (channels, sizes …) may pass the trunk at a time, with gradients or without."""
    max_pixels = PIXELS[device.type] // (GRADIENTS if gradients else 1)
    return max(1, min(MAX_IMAGES, max_pixels // math.prod(shape[1:])))


class PassThrough(nn.Module):
    """Replaces a normaliser for values that are already normalised."""

    def forward(self, values: Tensor, components: Tensor | None = None) -> Tensor:
        """Return the values unchanged."""
        return values


@dataclass(frozen=True)
class Side:
    """The encoder of a modality in two steps: the normaliser of raw values, and the encoder of normalised ones.

    Attributes:
        normaliser: raw values (samples, features) -> (samples, kept).
        encoder: normalised values (samples, kept) -> (samples, embedding).
        columns: position of each encoder feature in the modality's file, int64 (kept,); -1 if it is absent.
    """

    normaliser: Normaliser
    encoder: nn.Module
    columns: Tensor

    def inputs(self, values: Tensor, iids: list[str], components: pd.DataFrame | None) -> Tensor:
        """Normalise raw values (samples, features): float32 (samples, kept), on the normaliser's device."""
        pcs = None if components is None else torch.from_numpy(components.loc[iids].to_numpy("float32"))
        device = self.normaliser.keep.device
        with torch.no_grad():
            return self.normaliser(values.to(device), None if pcs is None else pcs.to(device))

    @property
    def rows(self) -> int:
        """How many samples, or points of a path, may pass the encoder at once."""
        floats = len(self.normaliser.keep)
        if isinstance(self.encoder, GeneEncoder):
            tokens = getattr(self.encoder.tokenise, "count", 1)
            floats += scan_bytes(1, tokens, self.encoder.width, 1) // 4
        return max(1, FLOATS // (floats + 4096))


@dataclass(frozen=True)
class Network:
    """The networks of a checkpoint on a device, with fixed weights, and the parameters of its loss."""

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
        path: PathLike,
        which: str,
        device: torch.device,
        modalities: Mapping[str, PathLike],
    ) -> "Network":
        """Create the network from a checkpoint that was read from `path`; `which` selects the last or the best weights.

        `modalities` are the files whose values the encoders will get.
        """
        learned = Pretrained.of(state, path, which)
        recipe, shape = learned.settings, learned.shape
        trunk = nn.Sequential(learned.pixels(), learned.trunk())
        trunk = _fixed(trunk, device).to(memory_format=channels_last(shape))
        heads = {name: _fixed(learned.head(name), device) for name in learned.modalities}
        sides = {}
        for name in learned.modalities:
            columns = learned.columns(name, describe(modalities[name])["feature"], modalities[name])
            encoder = _fixed(take_from(learned.encoder(name), columns), device)
            normaliser, encoder.normaliser = encoder.normaliser, PassThrough()
            sides[name] = Side(normaliser, encoder, columns)
        temperature = recipe["temperature"]
        if "log_temperature" in learned.weights:
            temperature = math.exp(float(learned.weights["log_temperature"]))
        bias = float(learned.weights["bias"]) if recipe.get("loss") == "siglip" else None
        keys = read_schema()["$defs"][recipe["method"]]["properties"]
        alpha = recipe["alpha"] if "alpha" in keys else SYMMETRIC
        return cls(trunk, heads, sides, float(temperature), alpha, bias, int(state["fold"]), recipe, device)

    def features(self, photographs: Photographs) -> Tensor:
        """Return the trunk features (images, features) of all images, on the device."""
        result, images = [], at_once(photographs.shape, self.device, gradients=False)
        with torch.no_grad():
            for part in torch.arange(len(photographs.row)).split(images):
                result.append(self.trunk(photographs.gather(part).to(self.device).float() / 255).float())
        return self.finite(torch.cat(result), "features")

    def images(self, modality: str, features: Tensor) -> Tensor:
        """Return embeddings (samples, width) of the images for the contrast with a modality."""
        with torch.no_grad():
            return self.finite(self.heads[modality](features), "embeddings")

    def reference(self, modality: str, images: Tensor, inputs: Tensor) -> Reference:
        """Return the reference batch of a modality, from image embeddings and normalised values (samples, kept)."""
        side = self.sides[modality]
        with torch.no_grad():
            genetics = torch.cat([side.encoder(part) for part in inputs.split(side.rows)])
        genetics = self.finite(genetics, "embeddings")
        return Reference.of(images, genetics, self.temperature, self.alpha, self.bias)

    def finite(self, values: Tensor, what: str) -> Tensor:
        """Return `values`. Raises UserError when some are not finite."""
        if not bool(values.isfinite().all()):
            raise UserError(
                f"the network of fold {self.fold} gives {what} that are not finite: run pretrain again with a lower lr"
            )
        return values


def _fixed(module: nn.Module, device: torch.device) -> nn.Module:
    return module.requires_grad_(False).eval().to(device)
