"""Simulate batches of heads in the style of T1-weighted MRI, as slices or volumes.

The coordinates (x, y, z) of the head range over an image of width 2: x to the right, y to the front, z up. A slice has
no z. Arrays of images are (n, x, y) or (n, x, y, z). Grey levels range from 0 (black) to 1 (white).
"""

from dataclasses import dataclass

import numpy as np

HEAD = (0.76, 0.92, 0.84)  # half-widths of the head
BRAIN = 0.84  # radius of the brain, relative to the head
CORTEX = 0.19  # mean depth of the grey matter, relative to the radius of the brain
SCALP, SKULL, FLUID, GREY, WHITE = 0.58, 0.10, 0.12, 0.48, 0.66
FOLDS = 6  # number of waves that form the folds of the cortex
VENTRICLE = (0.055, 0.24, 0.16)  # half-widths of one ventricle


@dataclass(frozen=True)
class Places:
    """Pixel positions: `points` (n, axes, *grid) in head coordinates, float32, and the pixel width `pixel`."""

    points: np.ndarray
    pixel: float

    @classmethod
    def draw(cls, many: int, axes: int, size: int, nuisance: float, rng: np.random.Generator) -> "Places":
        """Draw pixel centres with random rotation (SD 5° per axis), zoom (3 %) and shift (2.5 %), times `nuisance`."""
        line = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
        grid = np.stack(np.meshgrid(*[line] * axes, indexing="ij"))
        rotation = np.tile(np.eye(axes, dtype=np.float32), (many, 1, 1))
        for first_axis in range(axes):
            for second_axis in range(first_axis):
                rotation = rotation @ _rotation(
                    np.deg2rad(5.0) * nuisance * normal(rng, many), first_axis, second_axis, axes
                )
        zoom = np.exp(0.03 * nuisance * normal(rng, many, 1, 1))
        shift = 0.025 * nuisance * normal(rng, many, axes, 1)
        points = (rotation * zoom) @ grid.reshape(axes, -1) + shift
        return cls(points.reshape(many, axes, *[size] * axes), 2 / size)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw standard normal numbers, float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def over(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Reshape `values` (n,) so that they broadcast to `like` (n, …)."""
    return np.asarray(values, np.float32).reshape(-1, *[1] * (like.ndim - 1))


def edge(inside: np.ndarray, width: float) -> np.ndarray:
    """Return 1 where `inside` is well above 0 and 0 where it is well below, with a smooth ramp of `width` between."""
    ramp = np.clip(0.5 + inside / width, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def waves(points: np.ndarray, count: int, length: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Draw a random smooth function of unit SD at `points` (n, axes, *grid), a sum of `count` plane waves: (n, *grid).

    `length` is the range of the wavelengths, in the unit of the points.
    """
    many, axes = points.shape[:2]
    direction = normal(rng, many, count, axes)
    direction /= np.linalg.norm(direction, axis=2, keepdims=True)
    direction *= 2 * np.pi / rng.uniform(*length, (many, count, 1)).astype(np.float32)
    phase = 2 * np.pi * rng.random((many, count, 1), dtype=np.float32)
    angle = direction @ points.reshape(many, axes, -1) + phase
    return (np.sin(angle).sum(axis=1) * np.float32(np.sqrt(2 / count))).reshape(many, *points.shape[2:])


def radius(points: np.ndarray) -> np.ndarray:
    """Compute the distance from the centre: BRAIN at the surface of the brain, 1 at the skin; (n, *grid)."""
    half = np.float32(HEAD[: points.shape[1]]).reshape(-1, *[1] * (points.ndim - 2))
    return np.sqrt(((points / half) ** 2).sum(axis=1))


def anatomy(places: Places, atrophy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw heads without a tumour (skin, skull, fluid, folded grey and white matter, ventricles): (n, *grid).

    `atrophy` (n,) is in SD, limited to ±2.5. The width of a ventricle is 0.055 exp(0.30 atrophy); its length and height
    have half this exponent. Each head has its own folds.
    """
    points, softness = places.points, 1.5 * places.pixel
    r = radius(points)
    folds = waves(points, FOLDS, (0.22, 0.4), rng)
    depth = 1 - r / BRAIN
    image = np.full(r.shape, FLUID, np.float32)
    _blend(image, edge(depth - 0.02 - 0.10 * np.exp(-((folds / 0.25) ** 2)), softness), GREY)
    _blend(image, edge(depth - CORTEX - 0.09 * folds, softness), WHITE)
    x, y = np.abs(points[:, 0]), points[:, 1]
    _blend(image, edge(1 - _ellipse(points, (0.17, 0.06, 0.02), (0.09, 0.13, 0.10)), softness / 0.1), GREY)
    gap = 0.012 + 0.012 * np.clip((r - 0.45) / 0.3, 0, 1)
    _blend(image, edge(gap - x, softness) * edge(np.abs(y) - 0.30, 0.1) * (r < BRAIN), FLUID)
    _blend(image, _ventricles(points, atrophy, softness), FLUID)
    image *= 1 + 0.04 * waves(points, 8, (0.12, 0.4), rng)
    for bound, level in ((BRAIN, SKULL), (0.90, SCALP), (1.0, 0.0)):
        _blend(image, edge(r - bound, softness), level)
    return image


def scan(image: np.ndarray, places: Places, nuisance: float, rng: np.random.Generator) -> np.ndarray:
    """Add scanner effects (a smooth bias field, gain and noise): uint8 of the same shape. Modifies `image` in place."""
    image *= np.exp(0.07 * nuisance * waves(places.points, 3, (2.5, 5.0), rng))
    image *= np.exp(over(0.06 * nuisance * normal(rng, len(image)), image))
    grain = over(nuisance * (0.03 + 0.025 * rng.random(len(image), dtype=np.float32)), image)
    image += grain * normal(rng, *image.shape)
    # magnitudes are not negative, so noise in the background has one sign
    return (np.clip(np.abs(image), 0, 1) * 255 + 0.5).astype(np.uint8)


def _blend(image: np.ndarray, opacity: np.ndarray, level: float) -> None:
    """Blend a grey level into `image` with opacity `opacity` (0 to 1), in place."""
    image += opacity * (np.float32(level) - image)


def _ellipse(points: np.ndarray, centre: tuple[float, ...], half: tuple[float, ...]) -> np.ndarray:
    """Compute the distance from an ellipsoid's `centre`, 1 on its surface, mirrored at the middle plane: (n, *grid)."""
    axes = points.shape[1]
    squares = ((np.abs(points[:, 0]) - centre[0]) / half[0]) ** 2
    for first_axis in range(1, axes):
        squares += ((points[:, first_axis] - centre[first_axis]) / half[first_axis]) ** 2
    return np.sqrt(squares)


def _ventricles(points: np.ndarray, atrophy: np.ndarray, softness: float) -> np.ndarray:
    """Draw the opacity of the two lateral ventricles, whose horns bend outwards: (n, *grid)."""
    trait = np.clip(over(atrophy, points[:, 0]), -2.5, 2.5)
    wide, long = np.exp(0.30 * trait), np.exp(0.15 * trait)
    bent = np.abs(points[:, 0]) - 0.055 * wide - 0.02 - 1.6 * (points[:, 1] - 0.02) ** 2
    squares = (bent / (VENTRICLE[0] * wide)) ** 2 + ((points[:, 1] - 0.02) / (VENTRICLE[1] * long)) ** 2
    if points.shape[1] == 3:
        squares += ((points[:, 2] - 0.05) / (VENTRICLE[2] * long)) ** 2
    return edge((1 - np.sqrt(squares)) * VENTRICLE[0], softness)


def _rotation(angle: np.ndarray, first_axis: int, second_axis: int, axes: int) -> np.ndarray:
    """Return rotation matrices in the plane of two axes: (n, axes, axes)."""
    rotation = np.tile(np.eye(axes, dtype=np.float32), (len(angle), 1, 1))
    rotation[:, first_axis, first_axis] = rotation[:, second_axis, second_axis] = np.cos(angle)
    rotation[:, first_axis, second_axis] = -np.sin(angle)
    rotation[:, second_axis, first_axis] = np.sin(angle)
    return rotation
