"""Random views of photographs and volumes, drawn image by image and made batch by batch on the images' device."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from kornia.enhance import adjust_brightness_accumulative, adjust_contrast_with_mean_subtraction, adjust_hue
from kornia.filters import gaussian_blur2d
from kornia.geometry import get_affine_matrix2d, warp_affine
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """How far a view may lie from its photograph or volume; everything at 0 (crop 1, flip false) changes nothing.

    rotation: degrees either way (of a volume: about each axis); flip: left for right, one time in two; crop: least
    share of the area (volume) kept; brightness, contrast: factor 1 ± this; hue: shift ± this (of a full circle; colour
    photographs only); blur: largest sigma in pixels (photographs only).
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

    def __call__(
        self,
        levels: Tensor,
        generator: torch.Generator | Sequence[torch.Generator],
        views: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> Tensor:
        """A random view of each image: levels in 0 … 1, (images, channels, height, width) or with depth; the same out.

        `generator` lives on the CPU, so that a seed gives the same views on every device; or there is one an image,
        whose view then depends on no other. The images may be `views` copies of a batch, of which this is process
        `rank` of `world`: each image's view is then what one process that had the whole batch would have drawn.
        """
        each = len(levels) // views

        def draw(low: float, high: float) -> Tensor:
            if isinstance(generator, torch.Generator):
                unit = torch.rand(len(levels) * world, generator=generator).view(views, world, each)[:, rank].flatten()
            else:
                unit = torch.stack([torch.rand((), generator=own) for own in generator])
            return (low + (high - low) * unit).to(levels.device)

        if levels.ndim == 5:
            levels = self._move_volume(levels, draw)
            return self._shade_volume(levels, draw)
        levels = self._move(levels, draw)
        if self.brightness:
            levels = adjust_brightness_accumulative(levels, draw(1 - self.brightness, 1 + self.brightness))
        if self.contrast:
            levels = adjust_contrast_with_mean_subtraction(levels, draw(1 - self.contrast, 1 + self.contrast))
        if self.hue and levels.shape[1] == 3:
            levels = adjust_hue(levels, 2 * math.pi * draw(-self.hue, self.hue))
        if self.blur:
            sigma = draw(1e-3, self.blur)[:, None].expand(-1, 2)
            levels = gaussian_blur2d(levels, 2 * math.ceil(2 * self.blur) + 1, sigma)
        return levels

    def _move(self, levels: Tensor, draw: Callable[[float, float], Tensor]) -> Tensor:
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

    def _move_volume(self, levels: Tensor, draw: Callable[[float, float], Tensor]) -> Tensor:
        """Rotations about the three axes, flip and crop as one trilinear resampling."""
        if not (self.rotation or self.flip or self.crop < 1):
            return levels
        kept = draw(self.crop, 1.0).pow(1 / 3)
        mirror = torch.where(draw(0.0, 1.0) < 0.5, -1.0, 1.0) if self.flip else torch.ones_like(kept)
        turn = torch.eye(3, device=levels.device).expand(len(levels), 3, 3)
        for first, second in ((0, 1), (0, 2), (1, 2)):
            angle = torch.deg2rad(draw(-self.rotation, self.rotation))
            about = torch.eye(3, device=levels.device).repeat(len(levels), 1, 1)
            about[:, first, first] = about[:, second, second] = angle.cos()
            about[:, first, second], about[:, second, first] = -angle.sin(), angle.sin()
            turn = turn @ about
        scale = torch.stack([mirror * kept, kept, kept], dim=1)
        shift = torch.stack([draw(-1, 1) * (1 - kept) for _ in range(3)], dim=1)
        matrix = torch.cat([turn * scale[:, None, :], shift[:, :, None]], dim=2)
        grid = functional.affine_grid(matrix, list(levels.shape), align_corners=False)
        return functional.grid_sample(levels, grid, align_corners=False)

    def _shade_volume(self, levels: Tensor, draw: Callable[[float, float], Tensor]) -> Tensor:
        """Brightness as a factor, contrast round the mean of the volume."""
        if self.brightness:
            levels = levels * draw(1 - self.brightness, 1 + self.brightness).view(-1, 1, 1, 1, 1)
        if self.contrast:
            factor = draw(1 - self.contrast, 1 + self.contrast).view(-1, 1, 1, 1, 1)
            mean = levels.mean(dim=(1, 2, 3, 4), keepdim=True)
            levels = mean + factor * (levels - mean)
        return levels.clamp(0, 1)
