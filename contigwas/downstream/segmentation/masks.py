"""One mask in the geometry of its image, as numbers of classes: the square of the field of view, or the cube."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from contigwas.images.decoded import Decoded
from contigwas.images.photograph import DECODE_ERRORS, Box, frame, placed_photograph

UNREADABLE, OTHER_SIZE, ELSEWHERE, COLOURED = "unreadable", "other size", "elsewhere", "coloured"
MANY = 8  # values that are not 0: a mask of one label that has more is a photograph, or was a JPEG
SHOWN = 5  # values that are no label, in a message


@dataclass(frozen=True)
class Labels:
    """Which values of which columns are which class.

    classes: names, class 1 first; columns: the table's columns of masks; values: of each class, if all stand in one
    column; None where any value that is not 0 is the class of its column.
    """

    classes: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[int, ...], ...] | None

    @classmethod
    def of(cls, settings: Mapping[str, object], task: str) -> "Labels":
        """From the settings of a task; without names of classes the one class has the task's name."""
        mask, labels = settings["mask"], settings["labels"]
        if isinstance(mask, Mapping):
            return cls(tuple(mask), tuple(mask.values()), None)
        if labels is None:
            return cls((task,), (mask,), None)
        values = tuple(tuple(one) if isinstance(one, list) else (one,) for one in labels.values())
        return cls(tuple(labels), (mask,), values)

    def numbered(self, masks: Sequence[np.ndarray]) -> tuple[np.ndarray, list[float]]:
        """uint8 of the masks' shape: 0 is background, class 1 the first; and the values that are no label.

        Where the masks of several columns overlap, the later class counts.
        """
        result = np.zeros(masks[0].shape, np.uint8)
        if self.values is not None:
            legal = np.zeros(masks[0].shape, bool) | (masks[0] == 0)
            for number, values in enumerate(self.values, start=1):
                here = np.isin(masks[0], values)
                result[here] = number
                legal |= here
            return result, [] if legal.all() else np.unique(masks[0][~legal]).tolist()
        odd: list[float] = []
        for number, mask in enumerate(masks, start=1):
            found = np.unique(mask)
            found = found[found != 0]
            odd += found.tolist() if len(found) > MANY else []
            result[mask != 0] = number
        return result, odd


@dataclass(frozen=True)
class Pair:
    """An image as `Decoded`, and its mask: uint8 (sizes …) in the image's geometry, or why there is none.

    odd: values that are no label; whole: how many pixels of the whole mask are of each class, background first.
    """

    image: Decoded
    mask: np.ndarray | None = None
    problem: str = ""
    odd: tuple[float, ...] = ()
    whole: np.ndarray | None = None


def reader(settings: Mapping[str, object], labels: Labels) -> Callable[[Path, Sequence[Path]], Pair]:
    """What reads an image and its masks, one a column. `settings` has size, crop, dimensions and min_sd."""
    size, min_sd = int(settings["size"]), float(settings["min_sd"])
    if settings["dimensions"] == 3:
        return lambda image, masks: _volumes(image, masks, labels, size, min_sd)
    return lambda image, masks: _photographs(image, masks, labels, size, str(settings["crop"]), min_sd)


def _photographs(path: Path, masks: Sequence[Path], labels: Labels, size: int, crop: str, min_sd: float) -> Pair:
    image, box = placed_photograph(path, size, crop, min_sd)
    if image.reason or box is None:
        return Pair(image)
    read = [picture(one) for one in masks]
    problem = next((one for one in read if isinstance(one, str)), "")
    if problem:
        return Pair(image, problem=problem)
    full = frame(path)
    if any(one.shape[::-1] != full for one in read):
        return Pair(image, problem=OTHER_SIZE)
    numbers, odd = labels.numbered(read)
    return Pair(image, placed(numbers, box, size), odd=tuple(odd), whole=_counted(numbers, labels))


def _volumes(path: Path, masks: Sequence[Path], labels: Labels, size: int, min_sd: float) -> Pair:
    from contigwas.images import volume  # MONAI takes seconds to import, which a study of photographs need not wait for

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
    numbers, odd = labels.numbered([values for values, _ in read])
    return Pair(image, volume.nearest(numbers, place, size), odd=tuple(odd), whole=_counted(numbers, labels))


def _counted(numbers: np.ndarray, labels: Labels) -> np.ndarray:
    return np.bincount(numbers.ravel(), minlength=len(labels.classes) + 1)


def picture(path: Path) -> np.ndarray | str:
    """The values (height, width) of a mask that is a picture; of a palette the indices. Or why there are none."""
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
    """The part `box` of a mask (height, width) in `size` x `size` pixels, each its middle; 0 beyond the frame."""
    at = (np.arange(size) + 0.5) / size
    left, top, right, bottom = box
    height, width = numbers.shape
    x = np.floor((left + at * (right - left)) * width).astype(int)
    y = np.floor((top + at * (bottom - top)) * height).astype(int)
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None, :]
    return np.where(inside, numbers[y.clip(0, height - 1)][:, x.clip(0, width - 1)], 0).astype(np.uint8)
