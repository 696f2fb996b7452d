"""Planted groups of samples, whose photographs have different kinds of marks in the fundus.

Each group has one kind of marks. Their number and positions vary between eyes. Groups are independent of traits, genes
and nuisance variation.
"""

import numpy as np

from contigwas.simulate.settings import GROUPS

MACULA = (-0.14, 0.05)
EDGE = 0.95  # maximum distance of marks from the centre of the field of view
# colour of each kind of marks, and its opacity at strength 1
COLOURS = {
    "exudates": ((0.98, 0.92, 0.62), 0.80),
    "drusen": ((0.94, 0.80, 0.44), 0.75),
    "scars": ((0.86, 0.80, 0.66), 0.75),
    "haemorrhages": ((0.34, 0.07, 0.05), 0.80),
}


def choose_groups(samples: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Assign samples at random to groups 0 … count - 1 of nearly equal size: int64 (samples,)."""
    return rng.permutation(np.arange(samples) % count)


def mark(
    image: np.ndarray, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strength: float, rng: np.random.Generator
) -> None:
    """Draw the marks of its group into each image (n, 3, size, size), in place.

    `x` and `y` (n, size, size) are the eye coordinates of the pixels, `groups` (n,) are group numbers. The opacity of
    the marks is proportional to `strength`; 0 draws nothing.
    """
    for number, kind in enumerate(GROUPS):
        rows = np.flatnonzero(groups == number)
        if not len(rows):
            continue
        left, top, size, shown = MARKS[kind](len(rows), rng)
        colour, opacity = COLOURS[kind]
        cover = _spots(x[rows], y[rows], left, top, size, shown) * np.float32(min(opacity * strength, 1.0))
        for channel, level in enumerate(colour):
            image[rows, channel] += cover * (np.float32(level) - image[rows, channel])


def _spots(
    x: np.ndarray, y: np.ndarray, left: np.ndarray, top: np.ndarray, size: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """Draw the opacity of round spots with soft edges: (n, size, size).

    `left`, `top`, `size` and `shown` are (n, spots).
    """
    cover = np.zeros_like(x)
    shown = shown & (np.hypot(left, top) < EDGE)
    for spot in range(left.shape[1]):
        drawn = np.flatnonzero(shown[:, spot])
        a, b, s = (values[drawn, spot, None, None].astype(np.float32) for values in (left, top, size))
        square = ((x[drawn] - a) ** 2 + (y[drawn] - b) ** 2) / (s * s)
        cover[drawn] = np.maximum(cover[drawn], np.exp(-(square**2)))
    return cover


def _exudates(many: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw four to six clusters of six to nine small dots each."""
    clusters, dots = 6, 9
    distance, angle = _uniform(rng, 0.25, 0.80, many, clusters), _uniform(rng, 0, 2 * np.pi, many, clusters)
    dot_distance, dot_angle = (
        0.13 * np.sqrt(rng.random((many, clusters, dots))),
        _uniform(rng, 0, 2 * np.pi, many, clusters, dots),
    )
    left = (distance * np.cos(angle))[..., None] + dot_distance * np.cos(dot_angle)
    top = (distance * np.sin(angle))[..., None] + dot_distance * np.sin(dot_angle)
    shown = (np.arange(clusters) < rng.integers(4, clusters + 1, (many, 1)))[..., None]
    shown = shown & (np.arange(dots) < rng.integers(6, dots + 1, (many, clusters, 1)))
    size = _uniform(rng, 0.026, 0.040, many, clusters, dots)
    return tuple(values.reshape(many, -1) for values in (left, top, size, shown))


def _drusen(many: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw a ring of 14 to 20 dots around the macula, with random width and gaps."""
    dots = 20
    radius = _uniform(rng, 0.24, 0.40, many, 1) + 0.02 * rng.standard_normal((many, dots))
    count = rng.integers(14, dots + 1, (many, 1))
    angle = _uniform(rng, 0, 2 * np.pi, many, 1) + 2 * np.pi * np.arange(dots) / count
    angle = angle + 0.10 * rng.standard_normal((many, dots))
    shown = np.arange(dots) < count
    size = _uniform(rng, 0.030, 0.044, many, dots)
    return MACULA[0] + radius * np.cos(angle), MACULA[1] + radius * np.sin(angle), size, shown


def _scars(many: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw a jittered grid of 30 to 45 burns in the periphery, as after pan-retinal laser treatment."""
    spots = 48
    angle = _uniform(rng, 0, 2 * np.pi, many, 1) + 2 * np.pi * (np.arange(spots) // 3) / (spots / 3)
    distance = 0.60 + 0.13 * (np.arange(spots) % 3) + 0.02 * rng.standard_normal((many, spots))
    angle = angle + 0.13 * (np.arange(spots) % 3) + 0.03 * rng.standard_normal((many, spots))
    shown = rng.random((many, spots)) < _uniform(rng, 0.65, 0.95, many, 1)
    size = np.full((many, spots), 0.045) * _uniform(rng, 0.85, 1.15, many, 1)
    return distance * np.cos(angle), distance * np.sin(angle), size, shown


def _haemorrhages(many: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw 14 to 24 dark blots of different sizes."""
    spots = 24
    distance, angle = 0.9 * np.sqrt(rng.random((many, spots))), _uniform(rng, 0, 2 * np.pi, many, spots)
    shown = np.arange(spots) < rng.integers(14, spots + 1, (many, 1))
    size = 0.05 * np.exp(0.3 * rng.standard_normal((many, spots)))
    return distance * np.cos(angle), distance * np.sin(angle), size, shown


def _uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> np.ndarray:
    return rng.uniform(low, high, shape)


MARKS = {"exudates": _exudates, "drusen": _drusen, "scars": _scars, "haemorrhages": _haemorrhages}
