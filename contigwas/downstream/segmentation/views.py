"""Random views of images and masks: geometric transforms apply to both, brightness and contrast only to the image."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from contigwas.pretrain.augment import Augmentation


@dataclass(frozen=True)
class Views:
    """Geometric transforms (rotation, flip, crop) and intensity transforms (brightness, contrast)."""

    geometric: Augmentation
    intensity: Augmentation

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Views":
        """Return the transforms of the block `augment` of a task."""
        every = Augmentation.of(settings)
        return cls(replace(every, brightness=0.0, contrast=0.0), replace(every, rotation=0.0, flip=False, crop=1.0))

    def __call__(
        self, levels: Tensor, masks: Tensor, classes: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Transform levels (images, channels, sizes …) and masks int64 (images, sizes …) below `classes`.

        A mask is transformed with one channel per class, and each pixel becomes the class with the largest value, so
        that interpolation gives no values between classes. Pixels from outside the frame are background.
        """
        channels = levels.shape[1]
        each = functional.one_hot(masks, classes).movedim(-1, 1)[:, 1:].float()
        moved = self.geometric(torch.cat([levels, each], dim=1), generator)
        levels, each = moved[:, :channels], moved[:, channels:]
        highest, number = each.max(dim=1)
        return self.intensity(levels, generator), torch.where(highest >= 0.5, number + 1, 0)
