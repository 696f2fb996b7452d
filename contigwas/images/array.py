"""The stored array of decoded images, opened: pixels in memory or on disk, and which rows are whose."""

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
MEMORY_SHARE = 0.5  # of the memory that is free: images larger than that stay on disk


@dataclass(frozen=True)
class Photographs:
    """All kept images of some samples, sample after sample.

    pixels: uint8 (rows, height, width, channels), or with depth first; row: where image 0, 1, … lies there. first,
    count: int64 (samples,): the images of sample i are first[i] … first[i] + count[i] - 1.
    """

    pixels: Tensor
    row: Tensor
    first: Tensor
    count: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image as networks see it: channels, then the sizes."""
        return (self.pixels.shape[-1], *self.pixels.shape[1:-1])

    def gather(self, images: Tensor) -> Tensor:
        """uint8 (images, channels, sizes …) of some images, channels last in memory, on the device of the pixels."""
        rows = self.row[images]
        if self.pixels.device.type != "cpu":
            rows = rows.to(self.pixels.device, non_blocking=True)
        return self.pixels[rows].movedim(-1, 1)

    def to(self, device: torch.device) -> "Photographs":
        """The same with the pixels on `device`."""
        return replace(self, pixels=self.pixels.to(device))


def load_photographs(npy: PathLike, images: pd.DataFrame, iids: pd.Index) -> Photographs:
    """The pixels of the images of `iids` (each of whom has one): read into memory where they fit, else left on disk.

    `images` is as `read_images` gives it. Raises UserError where its rows do not lie in the array, or the array is cut.
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
        raise UserError(f"{npy} is not a whole array: remove it and run the images stage again") from None
    astray = int(((images["row"] < 0) | (images["row"] >= len(stored))).sum())
    if astray:
        raise UserError(
            f"{npy} holds {len(stored)} images, but {astray} of the {len(images)} kept ones of its table lie outside: "
            "the two are not of one run, run the images stage again"
        )
    size = len(row) * int(np.prod(stored.shape[1:]))
    if size <= MEMORY_SHARE * available():
        pixels, row = np.asarray(stored[row]), np.arange(len(row))
    else:
        log.warning("the images (%.0f GB) do not fit into memory: they are read from disk batch by batch", size / 1e9)
        pixels = stored
    return Photographs(
        torch.from_numpy(pixels), torch.from_numpy(row), torch.from_numpy(first), torch.from_numpy(count)
    )
