"""Random views of photographs, drawn image by image and made batch by batch on the images' device."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from kornia.enhance import adjust_brightness_accumulative, adjust_contrast_with_mean_subtraction, adjust_hue
from kornia.filters import gaussian_blur2d
from kornia.geometry import get_affine_matrix2d, warp_affine
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """How far a view may lie from its photograph; everything at 0 (crop 1, flip false) changes nothing.

    rotation: degrees either way; flip: left for right, one time in two; crop: least share of the area kept;
    brightness, contrast: factor 1 ± this; hue: shift ± this (of a full circle); blur: largest sigma in pixels.
    """

    rotation: float = 0.0
    flip: bool = False
    crop: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    hue: float = 0.0
    blur: float = 0.0

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Augmentation":
        """From the block `augment` of a recipe."""
        return cls(**{field.name: settings[field.name] for field in fields(cls) if field.name in settings})

    def __call__(self, levels: Tensor, generator: torch.Generator) -> Tensor:
        """A random view of each image: (images, 3, height, width) levels in 0 … 1, and the same out.

        `generator` lives on the CPU, so that a seed gives the same views on every device.
        """

        def draw(low: float, high: float) -> Tensor:
            unit = torch.rand(len(levels), generator=generator)
            return (low + (high - low) * unit).to(levels.device)

        levels = self._move(levels, draw)
        if self.brightness:
            levels = adjust_brightness_accumulative(levels, draw(1 - self.brightness, 1 + self.brightness))
        if self.contrast:
            levels = adjust_contrast_with_mean_subtraction(levels, draw(1 - self.contrast, 1 + self.contrast))
        if self.hue:
            levels = adjust_hue(levels, 2 * math.pi * draw(-self.hue, self.hue))
        if self.blur:
            sigma = draw(1e-3, self.blur)[:, None].expand(-1, 2)
            levels = gaussian_blur2d(levels, 2 * math.ceil(2 * self.blur) + 1, sigma)
        return levels

    def _move(self, levels: Tensor, draw) -> Tensor:
        """Rotation, flip and crop as one resampling: three would cost three times as much and blur more."""
        if not (self.rotation or self.flip or self.crop < 1):
            return levels
        height, width = levels.shape[-2:]
        angle = draw(-self.rotation, self.rotation)
        kept = draw(self.crop, 1.0).sqrt()
        # the cropped square may lie anywhere inside the photograph: its centre moves by what the crop leaves over
        spare = (1 - kept) / (2 * kept)
        shift = torch.stack([draw(-1, 1) * spare * (width - 1), draw(-1, 1) * spare * (height - 1)], dim=1)
        mirror = torch.where(draw(0.0, 1.0) < 0.5, -1.0, 1.0) if self.flip else torch.ones_like(angle)
        scale = torch.stack([mirror / kept, 1 / kept], dim=1)
        centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=levels.device).expand(len(levels), 2)
        matrix = get_affine_matrix2d(shift, centre, scale, angle)
        return warp_affine(levels, matrix[:, :2], (height, width), align_corners=True)
