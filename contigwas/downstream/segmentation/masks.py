"""Read a mask and map it to the geometry of its decoded image (square or cube), as numbers of classes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from contigwas.images.decoded import Decoded
from contigwas.images.photograph import DECODE_ERRORS, Box, frame, placed_photograph

UNREADABLE, OTHER_SIZE, ELSEWHERE, COLOURED = "unreadable", "other size", "elsewhere", "coloured"
MAX_VALUES = 8  # nonzero values: a one-label mask with more is a photograph or a JPEG
MAX_SHOWN = 5  # invalid values in a message


@dataclass(frozen=True)
class Labels:
    """Which values in which columns of masks are which class.

    classes: names, class 1 first; columns: columns of the table with paths of masks; values: values of each class if
    all classes are in one mask; None if any nonzero value is the class of its column.
    """

    classes: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[int, ...], ...] | None

    @classmethod
    def of(cls, settings: Mapping[str, object], task: str) -> "Labels":
        """Return the labels from the settings of a task. Without configured classes, the one class is named `task`."""
        mask, labels = settings["mask"], settings["labels"]
        if isinstance(mask, Mapping):
            return cls(tuple(mask), tuple(mask.values()), None)
        if labels is None:
            return cls((task,), (mask,), None)
        values = tuple(tuple(one) if isinstance(one, list) else (one,) for one in labels.values())
        return cls(tuple(labels), (mask,), values)

    def numbered(self, masks: Sequence[np.ndarray]) -> tuple[np.ndarray, list[float]]:
        """Return numbers of classes (uint8, shape of the masks, 0 is background) and the values that are not labels.

        If masks of several columns overlap, the later class is used.
        """
        result = np.zeros(masks[0].shape, np.uint8)
        if self.values is not None:
            legal = np.zeros(masks[0].shape, bool) | (masks[0] == 0)
            for number, values in enumerate(self.values, start=1):
                of_class = np.isin(masks[0], values)
                result[of_class] = number
                legal |= of_class
            return result, [] if legal.all() else np.unique(masks[0][~legal]).tolist()
        invalid: list[float] = []
        for number, mask in enumerate(masks, start=1):
            nonzero = np.unique(mask)
            nonzero = nonzero[nonzero != 0]
            invalid += nonzero.tolist() if len(nonzero) > MAX_VALUES else []
            result[mask != 0] = number
        return result, invalid


@dataclass(frozen=True)
class Pair:
    """A decoded image and its mask.

    mask: uint8 (sizes …) in the geometry of the image; problem: why there is no mask; invalid: values that are not
    labels; class_pixels: pixels of each class in the original mask, background first.
    """

    image: Decoded
    mask: np.ndarray | None = None
    problem: str = ""
    invalid: tuple[float, ...] = ()
    class_pixels: np.ndarray | None = None


def reader(settings: Mapping[str, object], labels: Labels) -> Callable[[Path, Sequence[Path]], Pair]:
    """Return the function that reads an image and its masks, one per column.

    `settings` has size, crop, dimensions and min_sd.
    """
    size, min_sd = int(settings["size"]), float(settings["min_sd"])
    if settings["dimensions"] == 3:
        return lambda image, masks: _volumes(image, masks, labels, size, min_sd)
    return lambda image, masks: _photographs(image, masks, labels, size, str(settings["crop"]), min_sd)


def _photographs(path: Path, masks: Sequence[Path], labels: Labels, size: int, crop: str, min_sd: float) -> Pair:
    image, box = placed_photograph(path, size, crop, min_sd)
    if image.reason or box is None:
        return Pair(image)
    read = [read_mask(one) for one in masks]
    problem = next((one for one in read if isinstance(one, str)), "")
    if problem:
        return Pair(image, problem=problem)
    full = frame(path)
    if any(one.shape[::-1] != full for one in read):
        return Pair(image, problem=OTHER_SIZE)
    numbers, invalid = labels.numbered(read)
    return Pair(image, placed(numbers, box, size), invalid=tuple(invalid), class_pixels=_count_classes(numbers, labels))


def _volumes(path: Path, masks: Sequence[Path], labels: Labels, size: int, min_sd: float) -> Pair:
    from contigwas.images import volume  # imported late: MONAI takes seconds, and photographs do not need it

    image, place = volume.placed_volume(path, size, min_sd)
    if image.reason or place is None:
        return Pair(image)
    read = [volume.read_labels(one) for one in masks]
    for one in read:
        if isinstance(one, str):
            return Pair(image, problem=UNREADABLE)
        if one[1].shape != place.shape:
            return Pair(image, problem=OTHER_SIZE)
        if not one[1].agrees(place):
            return Pair(image, problem=ELSEWHERE)
    numbers, invalid = labels.numbered([values for values, _ in read])
    return Pair(
        image,
        volume.nearest(numbers, place, size),
        invalid=tuple(invalid),
        class_pixels=_count_classes(numbers, labels),
    )


def _count_classes(numbers: np.ndarray, labels: Labels) -> np.ndarray:
    return np.bincount(numbers.ravel(), minlength=len(labels.classes) + 1)


def read_mask(path: Path) -> np.ndarray | str:
    """Return the values (height, width) of a 2D mask, palette indices if it has a palette, or the problem as text."""
    try:
        with Image.open(path) as file:
            values = np.asarray(ImageOps.exif_transpose(file))
    except DECODE_ERRORS:
        return UNREADABLE
    if values.ndim == 3:
        colours = values[..., :3] if values.shape[2] > 2 else values[..., :1]
        if (colours != colours[..., :1]).any():
            return COLOURED
        values = colours[..., 0]
    return values


def placed(numbers: np.ndarray, box: Box, size: int) -> np.ndarray:
    """Return the part `box` of a mask (height, width) at `size` x `size` pixels by nearest neighbour; 0 outside."""
    at = (np.arange(size) + 0.5) / size
    left, top, right, bottom = box
    height, width = numbers.shape
    x = np.floor((left + at * (right - left)) * width).astype(int)
    y = np.floor((top + at * (bottom - top)) * height).astype(int)
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None, :]
    return np.where(inside, numbers[y.clip(0, height - 1)][:, x.clip(0, width - 1)], 0).astype(np.uint8)
