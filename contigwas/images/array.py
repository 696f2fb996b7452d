"""Open the array of decoded images, in memory or on disk, with the rows of each sample."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import available
from contigwas.tables.sample_ids import rows_of
from contigwas.tables.text import require

log = logging.getLogger(__name__)
MEMORY_SHARE = 0.5  # of the free memory: larger image arrays stay on disk


@dataclass(frozen=True)
class Photographs:
    """All kept images of some samples, ordered by sample.

    Attributes:
        pixels: uint8 (rows, height, width, channels), of volumes (rows, depth, height, width, channels).
        row: the row of each image in `pixels`, int64 (images,).
        first, count: int64 (samples,): the images of sample i are first[i] … first[i] + count[i] - 1.
    """

    pixels: Tensor
    row: Tensor
    first: Tensor
    count: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image as networks get it: channels, then the sizes."""
        return (self.pixels.shape[-1], *self.pixels.shape[1:-1])

    def gather(self, images: Tensor) -> Tensor:
        """Return the pixels of `images` (positions): uint8 (images, channels, sizes …), channels last in memory.

        The result is on the device of the pixels.
        """
        rows = self.row[images]
        if self.pixels.device.type != "cpu":
            rows = rows.to(self.pixels.device, non_blocking=True)
        return self.pixels[rows].movedim(-1, 1)

    def to(self, device: torch.device) -> "Photographs":
        """Return a copy with the pixels on `device`."""
        return replace(self, pixels=self.pixels.to(device))


def load_photographs(npy: PathLike, images: pd.DataFrame, iids: pd.Index) -> Photographs:
    """Load the images of `iids`, each of which must have one: into memory if they fit, otherwise memory-mapped.

    `images` is the table of `read_images`. Raises UserError when its rows lie outside the array, or the array is
    truncated.
    """
    sample = rows_of(images["iid"], iids)
    order = np.argsort(sample, kind="stable")
    order = order[sample[order] >= 0]
    count = np.bincount(sample[order], minlength=len(iids))
    first = np.cumsum(count) - count
    row = images["row"].to_numpy()[order]
    try:
        stored = np.load(require(npy, "the array of images"), mmap_mode="c")
    except (ValueError, EOFError):
        raise UserError(f"{npy} is not a complete array: remove it and run the images stage again") from None
    outside = int(((images["row"] < 0) | (images["row"] >= len(stored))).sum())
    if outside:
        raise UserError(
            f"{npy} holds {len(stored)} images, but {outside} of the {len(images)} kept images of its table lie "
            "outside it: the files are from different runs, so run the images stage again"
        )
    size = len(row) * int(np.prod(stored.shape[1:]))
    if size <= MEMORY_SHARE * available():
        pixels, row = np.asarray(stored[row]), np.arange(len(row))
    else:
        log.warning("the images (%.0f GB) do not fit into memory and are read from disk per batch", size / 1e9)
        pixels = stored
    return Photographs(
        torch.from_numpy(pixels), torch.from_numpy(row), torch.from_numpy(first), torch.from_numpy(count)
    )
