"""Heads that look like a slice of a T1-weighted MRI, or a volume of one, many at once.

Coordinates (x, y, z) of the head, in which the picture is 2 wide: x to the right, y to the front, z up; a slice has no
z. Arrays of pictures are (n, x, y) or (n, x, y, z). Grey levels go from 0 (black) to 1 (white).
"""

from dataclasses import dataclass

import numpy as np

HEAD = (0.76, 0.92, 0.84)  # half-widths of the head
BRAIN = 0.84  # of the head's radius
CORTEX = 0.19  # mean depth of the grey matter, as a share of the brain's radius
SCALP, SKULL, FLUID, GREY, WHITE = 0.58, 0.10, 0.12, 0.48, 0.66
FOLDS = 6  # waves that make the folds of the cortex
VENTRICLE = (0.055, 0.24, 0.16)  # half-widths of one


@dataclass(frozen=True)
class Places:
    """Where the pixels are: `points` (n, axes, *grid) in the head's coordinates, `pixel` their width, float32."""

    points: np.ndarray
    pixel: float

    @classmethod
    def draw(cls, many: int, axes: int, size: int, nuisance: float, rng: np.random.Generator) -> "Places":
        """Pixel centres, turned (SD 5 degrees about each axis), zoomed (3 %) and shifted (2.5 %), times `nuisance`."""
        line = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
        grid = np.stack(np.meshgrid(*[line] * axes, indexing="ij"))
        turn = np.tile(np.eye(axes, dtype=np.float32), (many, 1, 1))
        for one in range(axes):
            for other in range(one):
                turn = turn @ _rotation(np.deg2rad(5.0) * nuisance * normal(rng, many), one, other, axes)
        zoom = np.exp(0.03 * nuisance * normal(rng, many, 1, 1))
        shift = 0.025 * nuisance * normal(rng, many, axes, 1)
        points = (turn * zoom) @ grid.reshape(axes, -1) + shift
        return cls(points.reshape(many, axes, *[size] * axes), 2 / size)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal numbers, float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def over(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """`values` (n,) with as many axes as `like` (n, …)."""
    return np.asarray(values, np.float32).reshape(-1, *[1] * (like.ndim - 1))


def edge(inside: np.ndarray, width: float) -> np.ndarray:
    """1 where `inside` is well above 0, 0 where well below, a smooth ramp `width` wide between them."""
    ramp = np.clip(0.5 + inside / width, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def waves(points: np.ndarray, count: int, length: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """A random smooth function of unit SD at `points` (n, axes, *grid): (n, *grid), a sum of `count` plane waves.

    `length` bounds the waves' lengths, in the unit of the points.
    """
    many, axes = points.shape[:2]
    way = normal(rng, many, count, axes)
    way /= np.linalg.norm(way, axis=2, keepdims=True)
    way *= 2 * np.pi / rng.uniform(*length, (many, count, 1)).astype(np.float32)
    phase = 2 * np.pi * rng.random((many, count, 1), dtype=np.float32)
    angle = way @ points.reshape(many, axes, -1) + phase
    return (np.sin(angle).sum(axis=1) * np.float32(np.sqrt(2 / count))).reshape(many, *points.shape[2:])


def radius(points: np.ndarray) -> np.ndarray:
    """How far from the middle of the head: 0 there, BRAIN at the brain's surface, 1 at the skin. (n, *grid)."""
    half = np.float32(HEAD[: points.shape[1]]).reshape(-1, *[1] * (points.ndim - 2))
    return np.sqrt(((points / half) ** 2).sum(axis=1))


def anatomy(places: Places, atrophy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey levels (n, *grid) of heads without a tumour: skin, skull, fluid, folded grey and white matter, ventricles.

    `atrophy` (n,) in SD: a ventricle's width is 0.055 exp(0.30 atrophy), its length and height grow half as fast (the
    trait within ±2.5). The folds are each head's own.
    """
    points, soft = places.points, 1.5 * places.pixel
    r = radius(points)
    folds = waves(points, FOLDS, (0.22, 0.4), rng)
    depth = 1 - r / BRAIN
    picture = np.full(r.shape, FLUID, np.float32)
    _lay(picture, edge(depth - 0.02 - 0.10 * np.exp(-((folds / 0.25) ** 2)), soft), GREY)
    _lay(picture, edge(depth - CORTEX - 0.09 * folds, soft), WHITE)
    x, y = np.abs(points[:, 0]), points[:, 1]
    _lay(picture, edge(1 - _ellipse(points, (0.17, 0.06, 0.02), (0.09, 0.13, 0.10)), soft / 0.1), GREY)
    gap = 0.012 + 0.012 * np.clip((r - 0.45) / 0.3, 0, 1)
    _lay(picture, edge(gap - x, soft) * edge(np.abs(y) - 0.30, 0.1) * (r < BRAIN), FLUID)
    _lay(picture, _ventricles(points, atrophy, soft), FLUID)
    picture *= 1 + 0.04 * waves(points, 8, (0.12, 0.4), rng)
    for bound, level in ((BRAIN, SKULL), (0.90, SCALP), (1.0, 0.0)):
        _lay(picture, edge(r - bound, soft), level)
    return picture


def scan(picture: np.ndarray, places: Places, nuisance: float, rng: np.random.Generator) -> np.ndarray:
    """What the scanner adds: a smooth bias field, gain and noise; uint8 of the same shape. Overwrites `picture`."""
    picture *= np.exp(0.07 * nuisance * waves(places.points, 3, (2.5, 5.0), rng))
    picture *= np.exp(over(0.06 * nuisance * normal(rng, len(picture)), picture))
    grain = over(nuisance * (0.03 + 0.025 * rng.random(len(picture), dtype=np.float32)), picture)
    picture += grain * normal(rng, *picture.shape)
    # magnitudes are never negative: the background of a scan has noise of one sign
    return (np.clip(np.abs(picture), 0, 1) * 255 + 0.5).astype(np.uint8)


def _lay(picture: np.ndarray, cover: np.ndarray, level: float) -> None:
    picture += cover * (np.float32(level) - picture)


def _ellipse(points: np.ndarray, centre: tuple[float, ...], half: tuple[float, ...]) -> np.ndarray:
    """Distance from `centre`, on both sides of the middle plane, with 1 on the surface of the ellipsoid: (n, *grid)."""
    axes = points.shape[1]
    squares = ((np.abs(points[:, 0]) - centre[0]) / half[0]) ** 2
    for one in range(1, axes):
        squares += ((points[:, one] - centre[one]) / half[one]) ** 2
    return np.sqrt(squares)


def _ventricles(points: np.ndarray, atrophy: np.ndarray, soft: float) -> np.ndarray:
    """Cover (n, *grid) of the two lateral ventricles, whose horns bend outwards."""
    trait = np.clip(over(atrophy, points[:, 0]), -2.5, 2.5)
    wide, long = np.exp(0.30 * trait), np.exp(0.15 * trait)
    bent = np.abs(points[:, 0]) - 0.055 * wide - 0.02 - 1.6 * (points[:, 1] - 0.02) ** 2
    squares = (bent / (VENTRICLE[0] * wide)) ** 2 + ((points[:, 1] - 0.02) / (VENTRICLE[1] * long)) ** 2
    if points.shape[1] == 3:
        squares += ((points[:, 2] - 0.05) / (VENTRICLE[2] * long)) ** 2
    return edge((1 - np.sqrt(squares)) * VENTRICLE[0], soft)


def _rotation(angle: np.ndarray, one: int, other: int, axes: int) -> np.ndarray:
    """Rotations (n, axes, axes) in the plane of two axes."""
    turn = np.tile(np.eye(axes, dtype=np.float32), (len(angle), 1, 1))
    turn[:, one, one] = turn[:, other, other] = np.cos(angle)
    turn[:, one, other] = -np.sin(angle)
    turn[:, other, one] = np.sin(angle)
    return turn
