"""One volume from a NIfTI file: in a canonical orientation, a cube in millimetres, measured."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor, NibabelReader
from monai.data.utils import affine_to_spacing
from monai.transforms import Orientation
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from torch import Tensor

from contigwas.images.decoded import Decoded, measure

ERRORS = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, TypeError, struct.error, zlib.error)
ROBUST = (0.5, 99.5)  # percentiles of the voxels that are not background: black and white


def read_volume(path: Path, size: int, min_sd: float) -> Decoded:
    """Read one NIfTI file as a cube of `size` voxels a side; never raises for what the file holds.

    The pixels are uint8 (size, size, size, 1): from inferior to superior, posterior to anterior, left to right, along
    the volume's own axes (an oblique one is not straightened). The cube is as wide as the volume's longest side in
    millimetres, the shorter sides are padded with 0, so that the anatomy keeps its proportions. Grey levels go from
    the 0.5th to the 99.5th percentile of the voxels that are not background. A volume thinner than one voxel of the
    cube is `flat`; one whose values do not vary is `blank`, or `black` where there are none but background.
    """
    return placed_volume(path, size, min_sd)[0]


@dataclass(frozen=True)
class Place:
    """Where a volume lies: sizes (left to right, posterior to anterior, inferior to superior) and affine."""

    shape: tuple[int, int, int]
    affine: np.ndarray

    def agrees(self, other: "Place") -> bool:
        """Whether voxels lie at the same places, to a hundredth of a voxel."""
        return self.shape == other.shape and np.allclose(
            self.affine, other.affine, atol=0.01 * np.abs(self.affine[:3, :3]).max()
        )


def placed_volume(path: Path, size: int, min_sd: float) -> tuple[Decoded, Place | None]:
    """What `read_volume` gives, and where the volume lies; None where nothing was decoded."""
    found = _canonical(path)
    if isinstance(found, str):
        return Decoded(None, reason=found), None
    values, affine = found
    place = Place(tuple(values.shape), affine)
    spacing = np.asarray(affine_to_spacing(affine))
    sides = np.asarray(values.shape) * spacing
    if not np.isfinite(sides).all() or min(sides) <= 0:
        return Decoded(None, reason="unreadable"), None
    if max(sides) > size * min(sides):
        return Decoded(None, reason="flat"), None
    # depth, height, width: views are mirrored along the width, and that must be left for right
    levels = _levels(values.permute(2, 1, 0))
    cube = _cube(levels, size * spacing[::-1] / max(sides), size)
    pixels = cube.round().clamp(0, 255).byte().numpy()
    return measure(pixels[..., None], pixels.astype(np.float32), pixels > 0, min_sd), place


def read_labels(path: Path) -> tuple[np.ndarray, Place] | str:
    """The values of a mask of a volume (depth, height, width), and where it lies; or why there are none."""
    found = _canonical(path)
    if isinstance(found, str):
        return found
    values, affine = found
    return values.permute(2, 1, 0).numpy(), Place(tuple(values.shape), affine)


def nearest(labels: np.ndarray, place: Place, size: int) -> np.ndarray:
    """Labels (depth, height, width) in the cube of `size` that `read_volume` makes of a volume at the same place."""
    spacing = np.asarray(affine_to_spacing(place.affine))
    scale = size * spacing[::-1] / max(np.asarray(place.shape) * spacing)
    for axis, factor in enumerate(scale):
        length = labels.shape[axis]
        middle = (np.arange(size) + 0.5 - size / 2) / factor + length / 2
        inside = (middle >= 0) & (middle < length)
        labels = labels.take(np.floor(middle).clip(0, length - 1).astype(int), axis=axis)
        labels = np.where(np.expand_dims(inside, tuple({0, 1, 2} - {axis})), labels, 0)
    return labels


def _canonical(path: Path) -> tuple[Tensor, np.ndarray] | str:
    """Values float32 (left to right, posterior to anterior, inferior to superior) and affine; or why there are none."""
    if not path.is_file():
        return "missing"
    try:
        reader = NibabelReader(squeeze_non_spatial_dims=True)
        image = reader.read(path)
        shape = image.shape
        if len(shape) > 3 and max(shape[3:]) > 1:
            return "several volumes"
        if len(shape) < 3 or min(shape[:3]) < 2:
            return "flat"
        values, header = reader.get_data(image)
        values = torch.from_numpy(np.nan_to_num(np.asarray(values, np.float32), posinf=0, neginf=0))
        volume = Orientation("RAS", labels=None)(MetaTensor(values[None], affine=header["affine"]))
    except ERRORS:
        return "unreadable"
    return volume[0].as_tensor(), np.asarray(volume.affine)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let torch use one thread in the threads that are started inside: each of them decodes a volume of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _levels(values: Tensor) -> Tensor:
    """Float 0 … 255 of the same shape; background is 0.

    Zeros are background, unless there are negative values and the corners are not 0: in Hounsfield units water is 0.
    """
    corners = values[:: values.shape[0] - 1, :: values.shape[1] - 1, :: values.shape[2] - 1]
    zeros_count = values.min() < 0 and corners.median() != 0
    inside = torch.ones_like(values, dtype=torch.bool) if zeros_count else values != 0
    if not inside.any():
        return torch.zeros_like(values)
    low, high = np.percentile(values[inside].numpy(), ROBUST)
    if high <= low:
        return 127.0 * inside  # something is there, but it does not vary: blank rather than black
    return (255 * (values - low) / (high - low)).clamp(0, 255) * inside


def _cube(levels: Tensor, scale: np.ndarray, size: int) -> Tensor:
    """`levels` (depth, height, width) resampled by the factors `scale`, in the middle of a cube of `size`."""
    depth, height, width = (_weights(length, factor, size) for length, factor in zip(levels.shape, scale, strict=True))
    return torch.tensordot(depth, height @ (levels @ width.T), dims=1)


def _weights(length: int, factor: float, size: int) -> Tensor:
    """How much each of `length` voxels counts in each of `size`, middle on middle: float32 (size, length).

    Linear interpolation, whose triangle is widened where a side shrinks, so that no voxel is passed over: what torch
    and Pillow do in 2-D; torch has it not in 3-D, and MONAI's Gaussian in its place takes seconds a volume.
    """
    step = 1 / factor
    middle = (torch.arange(size, dtype=torch.float64) + 0.5 - size / 2) * step + length / 2
    distance = (torch.arange(length) + 0.5 - middle[:, None]).abs()
    weights = (1 - distance / max(step, 1.0)).clamp(min=0)
    beyond = (middle < 0) | (middle > length)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return weights.masked_fill(beyond[:, None], 0).float()
