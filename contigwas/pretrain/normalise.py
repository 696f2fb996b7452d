"""What is fitted to the training samples: imputation and scaling of genetics, colour of the photographs."""

import numpy as np
import torch
from torch import Tensor, nn

from contigwas.images.array import Photographs
from contigwas.pretrain.precision import exactly
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import MISSING

# a burden that one sample in a thousand carries would reach 30 SD: rare carriers must not shout down everything else
LEAST_SD = {"burden": 0.1}
CHUNK = 4096  # features summed at a time,
PART = 32  # and images


class Normaliser(nn.Module):
    """Raw values of one modality to kept, imputed (training mean), centred and scaled (training SD) float32.

    Buffers: `keep` (kept,) int64, the features used; `mean` and `scale` (kept,) float32. With `slopes` (pcs + 1, kept)
    what a constant and genetic components predict of the scaled features is taken out, and the rest divided by `rest`
    (kept,), its training SD.
    """

    def __init__(
        self,
        keep: Tensor,
        mean: Tensor,
        scale: Tensor,
        slopes: Tensor | None = None,
        rest: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("keep", keep)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.register_buffer("slopes", slopes)
        self.register_buffer("rest", rest)

    def forward(self, values: Tensor, components: Tensor | None = None) -> Tensor:
        """(samples, features) raw, int8 with -127 or float with NaN missing -> (samples, kept) float32.

        `components` (samples, pcs) are needed where they are taken out.
        """
        chosen = values[:, self.keep]
        scaled = torch.where(missing(chosen), 0.0, (chosen.float() - self.mean) * self.scale)
        if self.slopes is None:
            return scaled
        with exactly(values):
            return (scaled - design(components).float() @ self.slopes) / self.rest


def design(components: Tensor) -> Tensor:
    """A constant and the components (samples, pcs): float64 (samples, pcs + 1)."""
    return torch.cat([torch.ones(len(components), 1, device=components.device), components], dim=1).double()


def missing(values: Tensor) -> Tensor:
    """Where a raw value is missing: NaN in floats, -127 in integers."""
    return values.isnan() if values.is_floating_point() else values == MISSING


def fit(
    name: str,
    values: Tensor,
    min_carriers: int = 0,
    components: Tensor | None = None,
    most: int | None = None,
    by_variance: bool = False,
) -> Normaliser:
    """Fit a Normaliser to raw `values` (training samples, features) of modality `name`.

    Features that are constant or wholly missing among these samples are left out; of `burden` also those with
    fewer than `min_carriers` carriers. `components` (training samples, pcs) are taken out of the others by least squares
    among these samples. Of the features the `most` variable are used (all where None), in their own order or, with
    `by_variance`, the most variable first. Raises UserError when no feature is left.
    """
    keep, means, sds, rare = [], [], [], 0
    for start in range(0, values.shape[1], CHUNK):
        block = values[:, start : start + CHUNK]
        absent = missing(block)
        numbers = torch.where(absent, 0, block).double()
        count = (~absent).sum(dim=0)
        mean = numbers.sum(dim=0) / count.clamp(min=1)
        sd = (torch.where(absent, 0.0, numbers - mean).square().sum(dim=0) / count.clamp(min=1)).sqrt()
        use = sd > 1e-8 * mean.abs().clamp(min=1e-12)
        if name == "burden":
            enough = (numbers > 0).sum(dim=0) >= min_carriers
            rare += int((use & ~enough).sum())
            use &= enough
        keep.append(start + torch.nonzero(use).flatten())
        means.append(mean[use])
        sds.append(sd[use])
    keep, means, sds = torch.cat(keep), torch.cat(means), torch.cat(sds)
    if most is not None or by_variance:
        chosen = sds.sort(descending=True, stable=True).indices[:most]
        chosen = chosen if by_variance else chosen.sort().values
        keep, means, sds = keep[chosen], means[chosen], sds[chosen]
    scales = 1 / sds.clamp(min=LEAST_SD.get(name, 0.0))
    normaliser = Normaliser(keep, means.float(), scales.float())
    if not len(normaliser.keep):
        if rare:
            raise UserError(
                f"{rare} features of {name} vary among the {len(values)} training samples, but none has {min_carriers} "
                "carriers: lower min_carriers in the recipe, or drop the modality"
            )
        raise UserError(
            f"no feature of {name} varies among the {len(values)} training samples: check the modality, or drop it"
        )
    if components is None or not components.shape[1]:
        return normaliser
    return _adjusted(normaliser, values, components)


def _adjusted(normaliser: Normaliser, values: Tensor, components: Tensor) -> Normaliser:
    """The same with what the components predict taken out."""
    scaled, columns = normaliser(values).double(), design(components)
    slopes = torch.linalg.lstsq(columns, scaled, driver="gelsd").solution
    rest = (scaled - columns @ slopes).square().mean(dim=0).sqrt().clamp(min=1e-6)
    return Normaliser(normaliser.keep, normaliser.mean, normaliser.scale, slopes.float(), rest.float())


class PixelScaler(nn.Module):
    """Levels in 0 … 1 to float32 of mean 0 and SD 1 a channel, over the training images.

    Buffers `mean` and `sd` (channels,). Augmentations work on levels, so the two steps are apart.
    """

    def __init__(self, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)

    def forward(self, levels: Tensor) -> Tensor:
        """(images, channels, sizes …), the same out."""
        to = (-1, *[1] * (levels.ndim - 2))
        return (levels - self.mean.view(to)) / self.sd.view(to)


def fit_pixels(photographs: Photographs, images: Tensor, at_most: int = 1000) -> PixelScaler:
    """Fit a PixelScaler to `at_most` of `images` (positions), evenly spread."""
    spread = torch.from_numpy(np.unique(np.linspace(0, len(images) - 1, at_most).astype(np.int64)))
    total = square = torch.zeros((), dtype=torch.int64)  # exact: levels are whole numbers
    for part in images[spread].split(PART):
        levels = photographs.gather(part).movedim(1, -1).flatten(0, -2).long()
        total, square = total + levels.sum(dim=0), square + levels.square().sum(dim=0)
    count = len(spread) * photographs.pixels[0, ..., 0].numel()
    mean = total.double() / count
    variance = (square.double() - total.double() * mean) / (count - 1)
    return PixelScaler((mean / 255).float(), (variance.clamp(min=0).sqrt() / 255).clamp(min=1e-3).float())
