"""Random views (augmentations) of photographs and volumes, computed per batch on the device of the images."""

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
    """Ranges of the random transformations of an image. The defaults change nothing.

    Attributes:
        rotation: maximum angle in degrees, in both directions; of a volume, about each axis.
        flip: mirror left and right with probability 0.5.
        crop: minimum share of the area (of a volume: of the volume) that is kept.
        brightness, contrast: factors are drawn from 1 ± this.
        hue: shifts are drawn from ± this, as a share of the full circle; colour photographs only.
        blur: maximum sigma in pixels; photographs only.
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
        """Create the augmentation from the block `augment` of a recipe."""
        return cls(**{field.name: settings[field.name] for field in fields(cls) if field.name in settings})

    def __call__(
        self,
        levels: Tensor,
        generator: torch.Generator | Sequence[torch.Generator],
        views: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> Tensor:
        """Return a random view of each image: levels in 0 … 1, (images, channels, height, width [, depth]); same shape.

        With one `generator`, it is on the CPU, so that a seed gives the same views on every device. With a sequence of
        generators, one per image, the view of an image is independent of the other images.

        `levels` may hold `views` copies of a batch. Process `rank` of `world` holds its share of the batch. Each image
        gets the view that a single process with the whole batch would give it.
        """
        images = len(levels) // views

        def draw(low: float, high: float) -> Tensor:
            if isinstance(generator, torch.Generator):
                unit = (
                    torch.rand(len(levels) * world, generator=generator).view(views, world, images)[:, rank].flatten()
                )
            else:
                unit = torch.stack([torch.rand((), generator=image_generator) for image_generator in generator])
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
        """Rotate, flip and crop in one resampling: three resamplings would blur more and take three times as long."""
        if not (self.rotation or self.flip or self.crop < 1):
            return levels
        height, width = levels.shape[-2:]
        angle = draw(-self.rotation, self.rotation)
        kept = draw(self.crop, 1.0).sqrt()
        # the position of the crop is uniform inside the photograph
        spare = (1 - kept) / (2 * kept)
        shift = torch.stack([draw(-1, 1) * spare * (width - 1), draw(-1, 1) * spare * (height - 1)], dim=1)
        mirror = torch.where(draw(0.0, 1.0) < 0.5, -1.0, 1.0) if self.flip else torch.ones_like(angle)
        scale = torch.stack([mirror / kept, 1 / kept], dim=1)
        centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=levels.device).expand(len(levels), 2)
        matrix = get_affine_matrix2d(shift, centre, scale, angle)
        return warp_affine(levels, matrix[:, :2], (height, width), align_corners=True)

    def _move_volume(self, levels: Tensor, draw: Callable[[float, float], Tensor]) -> Tensor:
        """Rotate about the three axes, flip and crop in one trilinear resampling."""
        if not (self.rotation or self.flip or self.crop < 1):
            return levels
        kept = draw(self.crop, 1.0).pow(1 / 3)
        mirror = torch.where(draw(0.0, 1.0) < 0.5, -1.0, 1.0) if self.flip else torch.ones_like(kept)
        rotations = torch.eye(3, device=levels.device).expand(len(levels), 3, 3)
        for first, second in ((0, 1), (0, 2), (1, 2)):
            angle = torch.deg2rad(draw(-self.rotation, self.rotation))
            rotation = torch.eye(3, device=levels.device).repeat(len(levels), 1, 1)
            rotation[:, first, first] = rotation[:, second, second] = angle.cos()
            rotation[:, first, second], rotation[:, second, first] = -angle.sin(), angle.sin()
            rotations = rotations @ rotation
        scale = torch.stack([mirror * kept, kept, kept], dim=1)
        shift = torch.stack([draw(-1, 1) * (1 - kept) for _ in range(3)], dim=1)
        matrix = torch.cat([rotations * scale[:, None, :], shift[:, :, None]], dim=2)
        grid = functional.affine_grid(matrix, list(levels.shape), align_corners=False)
        return functional.grid_sample(levels, grid, align_corners=False)

    def _shade_volume(self, levels: Tensor, draw: Callable[[float, float], Tensor]) -> Tensor:
        """Multiply by a brightness factor, and scale the contrast around the mean of the volume."""
        if self.brightness:
            levels = levels * draw(1 - self.brightness, 1 + self.brightness).view(-1, 1, 1, 1, 1)
        if self.contrast:
            factor = draw(1 - self.contrast, 1 + self.contrast).view(-1, 1, 1, 1, 1)
            mean = levels.mean(dim=(1, 2, 3, 4), keepdim=True)
            levels = mean + factor * (levels - mean)
        return levels.clamp(0, 1)
