"""Read one volume from a NIfTI file: canonical orientation, resampled to a cube, measured."""

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
LEVEL_PERCENTILES = (0.5, 99.5)  # of the voxels that are not background: black and white


def read_volume(path: Path, size: int, min_sd: float) -> Decoded:
    """Read one NIfTI file as a cube of `size` voxels per side; never raises for the content of the file.

    The pixels are uint8 (size, size, size, 1): from inferior to superior, posterior to anterior, left to right, along
    the volume's own axes (oblique volumes are not rotated). The side of the cube is the longest side of the volume in
    millimetres. Shorter sides are padded with 0, which preserves proportions.

    Grey levels range from the 0.5th to the 99.5th percentile of the voxels that are not background. A volume thinner
    than one voxel of the cube is `flat`. A volume with constant values is `blank`, or `black` if it is background only.
    """
    return placed_volume(path, size, min_sd)[0]


@dataclass(frozen=True)
class Place:
    """Position of a volume: sizes (left to right, posterior to anterior, inferior to superior) and affine."""

    shape: tuple[int, int, int]
    affine: np.ndarray

    def agrees(self, other: "Place") -> bool:
        """Return whether both volumes have the same voxel positions, to a hundredth of a voxel."""
        return self.shape == other.shape and np.allclose(
            self.affine, other.affine, atol=0.01 * np.abs(self.affine[:3, :3]).max()
        )


def placed_volume(path: Path, size: int, min_sd: float) -> tuple[Decoded, Place | None]:
    """Return the result of `read_volume` and the position of the volume; None if not decoded."""
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
    # depth, height, width: augmentation mirrors along the width, which must be left to right
    levels = _levels(values.permute(2, 1, 0))
    cube = _cube(levels, size * spacing[::-1] / max(sides), size)
    pixels = cube.round().clamp(0, 255).byte().numpy()
    return measure(pixels[..., None], pixels.astype(np.float32), pixels > 0, min_sd), place


def read_labels(path: Path) -> tuple[np.ndarray, Place] | str:
    """Return the values of a mask (depth, height, width) and its position; or the reason why it cannot be read."""
    found = _canonical(path)
    if isinstance(found, str):
        return found
    values, affine = found
    return values.permute(2, 1, 0).numpy(), Place(tuple(values.shape), affine)


def nearest(labels: np.ndarray, place: Place, size: int) -> np.ndarray:
    """Resample labels (depth, height, width) to the cube of `read_volume` by nearest neighbour."""
    spacing = np.asarray(affine_to_spacing(place.affine))
    scale = size * spacing[::-1] / max(np.asarray(place.shape) * spacing)
    for axis, factor in enumerate(scale):
        length = labels.shape[axis]
        centre = (np.arange(size) + 0.5 - size / 2) / factor + length / 2
        inside = (centre >= 0) & (centre < length)
        labels = labels.take(np.floor(centre).clip(0, length - 1).astype(int), axis=axis)
        labels = np.where(np.expand_dims(inside, tuple({0, 1, 2} - {axis})), labels, 0)
    return labels


def _canonical(path: Path) -> tuple[Tensor, np.ndarray] | str:
    """Return values float32 (left-right, posterior-anterior, inferior-superior) and affine; or a reason."""
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
    """Let torch use one thread per decoding thread, because each of them decodes a different volume."""
    former = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(former)


def _levels(values: Tensor) -> Tensor:
    """Return float 0 … 255 of the same shape, with background 0.

    Zeros are background, except in volumes with negative values and corners that are not 0: 0 Hounsfield units is
    water.
    """
    corners = values[:: values.shape[0] - 1, :: values.shape[1] - 1, :: values.shape[2] - 1]
    zero_is_signal = values.min() < 0 and corners.median() != 0
    inside = torch.ones_like(values, dtype=torch.bool) if zero_is_signal else values != 0
    if not inside.any():
        return torch.zeros_like(values)
    low, high = np.percentile(values[inside].numpy(), LEVEL_PERCENTILES)
    if high <= low:
        return 127.0 * inside  # constant values: blank rather than black
    return (255 * (values - low) / (high - low)).clamp(0, 255) * inside


def _cube(levels: Tensor, scale: np.ndarray, size: int) -> Tensor:
    """Resample `levels` (depth, height, width) by the factors `scale` into the centre of a cube of `size`."""
    depth, height, width = (_weights(length, factor, size) for length, factor in zip(levels.shape, scale, strict=True))
    return torch.tensordot(depth, height @ (levels @ width.T), dims=1)


def _weights(length: int, factor: float, size: int) -> Tensor:
    """Return the interpolation weights of `length` input voxels for `size` output voxels: float32 (size, length).

    Both are aligned at their centres. This is linear interpolation with a kernel that is widened when a side shrinks,
    so that every voxel contributes, as in torch and Pillow in 2-D. torch has no 3-D version, and MONAI's Gaussian
    smoothing takes seconds per volume.
    """
    step = 1 / factor
    centre = (torch.arange(size, dtype=torch.float64) + 0.5 - size / 2) * step + length / 2
    distance = (torch.arange(length) + 0.5 - centre[:, None]).abs()
    weights = (1 - distance / max(step, 1.0)).clamp(min=0)
    outside = (centre < 0) | (centre > length)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return weights.masked_fill(outside[:, None], 0).float()
