"""Statistics fitted on the training samples: imputation and scaling of genetics, scaling of pixels."""

import numpy as np
import torch
from torch import Tensor, nn

from contigwas.images.array import Photographs
from contigwas.pretrain.precision import exactly
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import MISSING

# without a minimum SD, a burden with one carrier in a thousand samples would reach 30 SD and dominate the embedding
MIN_SD = {"burden": 0.1}
CHUNK = 4096  # features summed at a time
IMAGE_CHUNK = 32  # images summed at a time


class Normaliser(nn.Module):
    """Raw values of one modality -> imputed (training mean), centred and scaled (training SD) values, float32.

    Buffers: `keep` (kept,) int64, the used features; `mean` and `scale` (kept,) float32, where `scale` is 1 / SD. With
    `slopes` (pcs + 1, kept), the scaled features are residualised on a constant and the genetic components, and divided
    by `rest` (kept,), the SD of the residuals among the training samples.
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
        """Normalise raw values (samples, features), where int8 -127 and NaN are missing: (samples, kept) float32.

        `components` (samples, pcs) are required if the normaliser has `slopes`.
        """
        chosen = values[:, self.keep]
        scaled = torch.where(is_missing(chosen), 0.0, (chosen.float() - self.mean) * self.scale)
        if self.slopes is None:
            return scaled
        with exactly(values):
            return (scaled - design_matrix(components).float() @ self.slopes) / self.rest


def design_matrix(components: Tensor) -> Tensor:
    """Return a constant and the components (samples, pcs) as float64 (samples, pcs + 1)."""
    return torch.cat([torch.ones(len(components), 1, device=components.device), components], dim=1).double()


def is_missing(values: Tensor) -> Tensor:
    """Return where a raw value is missing: NaN in floats, -127 in integers."""
    return values.isnan() if values.is_floating_point() else values == MISSING


def fit(
    name: str,
    values: Tensor,
    min_carriers: int = 0,
    components: Tensor | None = None,
    max_features: int | None = None,
    by_variance: bool = False,
) -> Normaliser:
    """Fit a Normaliser to raw `values` (training samples, features) of modality `name`.

    Features that are constant or completely missing are dropped; of `burden`, also those with fewer than `min_carriers`
    carriers. The others are residualised on `components` (training samples, pcs) by least squares. With `max_features`,
    only that many features with the largest variance are used. They stay in their own order, or with `by_variance` are
    sorted by decreasing variance. Raises UserError when no feature remains.
    """
    keep, means, sds, rare = [], [], [], 0
    for start in range(0, values.shape[1], CHUNK):
        block = values[:, start : start + CHUNK]
        absent = is_missing(block)
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
    if max_features is not None or by_variance:
        chosen = sds.sort(descending=True, stable=True).indices[:max_features]
        chosen = chosen if by_variance else chosen.sort().values
        keep, means, sds = keep[chosen], means[chosen], sds[chosen]
    scales = 1 / sds.clamp(min=MIN_SD.get(name, 0.0))
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
    """Return the normaliser with the regression on the components added."""
    scaled, columns = normaliser(values).double(), design_matrix(components)
    slopes = torch.linalg.lstsq(columns, scaled, driver="gelsd").solution
    rest = (scaled - columns @ slopes).square().mean(dim=0).sqrt().clamp(min=1e-6)
    return Normaliser(normaliser.keep, normaliser.mean, normaliser.scale, slopes.float(), rest.float())


class PixelScaler(nn.Module):
    """Levels in 0 … 1 -> float32 with mean 0 and SD 1 per channel over the training images.

    Buffers: `mean` and `sd` (channels,). Augmentations need levels, so scaling is a separate step.
    """

    def __init__(self, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)

    def forward(self, levels: Tensor) -> Tensor:
        """Scale levels (images, channels, sizes …); same shape."""
        broadcast = (-1, *[1] * (levels.ndim - 2))
        return (levels - self.mean.view(broadcast)) / self.sd.view(broadcast)


def fit_pixels(photographs: Photographs, images: Tensor, max_images: int = 1000) -> PixelScaler:
    """Fit a PixelScaler to at most `max_images` of `images` (positions), evenly spaced."""
    spread = torch.from_numpy(np.unique(np.linspace(0, len(images) - 1, max_images).astype(np.int64)))
    total = square = torch.zeros((), dtype=torch.int64)  # exact sums of integer levels
    for part in images[spread].split(IMAGE_CHUNK):
        levels = photographs.gather(part).movedim(1, -1).flatten(0, -2).long()
        total, square = total + levels.sum(dim=0), square + levels.square().sum(dim=0)
    count = len(spread) * photographs.pixels[0, ..., 0].numel()
    mean = total.double() / count
    variance = (square.double() - total.double() * mean) / (count - 1)
    return PixelScaler((mean / 255).float(), (variance.clamp(min=0).sqrt() / 255).clamp(min=1e-3).float())
