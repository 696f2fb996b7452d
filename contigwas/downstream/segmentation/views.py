"""Random views of images and their masks: moved together, only the image is shaded."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from contigwas.pretrain.augment import Augmentation


@dataclass(frozen=True)
class Views:
    """What moves (rotation, flip, crop), and what shades (brightness, contrast)."""

    moves: Augmentation
    shades: Augmentation

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Views":
        """From the block `augment` of a task."""
        every = Augmentation.of(settings)
        return cls(replace(every, brightness=0.0, contrast=0.0), replace(every, rotation=0.0, flip=False, crop=1.0))

    def __call__(
        self, levels: Tensor, masks: Tensor, classes: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Levels (images, channels, sizes …) and masks int64 (images, sizes …) below `classes`; the same out.

        A mask moves as one channel a class with its image, and each pixel is then the class with the most, so that no
        value stands between two classes. What comes in from beyond the frame is background.
        """
        channels = levels.shape[1]
        each = functional.one_hot(masks, classes).movedim(-1, 1)[:, 1:].float()
        moved = self.moves(torch.cat([levels, each], dim=1), generator)
        levels, each = moved[:, :channels], moved[:, channels:]
        most, number = each.max(dim=1)
        return self.shades(levels, generator), torch.where(most >= 0.5, number + 1, 0)
