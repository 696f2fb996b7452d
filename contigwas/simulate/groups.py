"""Planted groups of samples, whose photographs differ in kind: marks in the fundus that make no two of a group alike.

A group is a kind of marks. How many there are and where differs in every eye, within the kind; no trait, no gene and
no nuisance says anything of it.
"""

import numpy as np

from contigwas.simulate.settings import GROUPS

MACULA = (-0.14, 0.05)
EDGE = 0.95  # marks beyond are outside the round field
# of each kind: colour that covers, and how much of the ground it covers at strength 1
COLOURS = {
    "exudates": ((0.98, 0.92, 0.62), 0.80),
    "drusen": ((0.94, 0.80, 0.44), 0.75),
    "scars": ((0.86, 0.80, 0.66), 0.75),
    "haemorrhages": ((0.34, 0.07, 0.05), 0.80),
}


def choose_groups(samples: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """The group of each of the samples: 0 … count - 1, as equal in size as can be, at random."""
    return rng.permutation(np.arange(samples) % count)


def mark(
    picture: np.ndarray, x: np.ndarray, y: np.ndarray, groups: np.ndarray, strength: float, rng: np.random.Generator
) -> None:
    """Lay the marks of its group over each picture (n, 3, size, size), in place.

    `x`, `y` (n, size, size) are the eye's coordinates of the pixels, `groups` (n,) the groups' numbers. At strength 0
    nothing shows; above 1 more than usual.
    """
    for number, kind in enumerate(GROUPS):
        rows = np.flatnonzero(groups == number)
        if not len(rows):
            continue
        left, top, size, shown = PLACES[kind](len(rows), rng)
        colour, opacity = COLOURS[kind]
        cover = _spots(x[rows], y[rows], left, top, size, shown) * np.float32(min(opacity * strength, 1.0))
        for channel, level in enumerate(colour):
            picture[rows, channel] += cover * (np.float32(level) - picture[rows, channel])


def _spots(
    x: np.ndarray, y: np.ndarray, left: np.ndarray, top: np.ndarray, size: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """Cover (n, size, size) of round spots with soft edges; `left`, `top`, `size` and `shown` are (n, spots)."""
    cover = np.zeros_like(x)
    shown = shown & (np.hypot(left, top) < EDGE)
    for one in range(left.shape[1]):
        here = np.flatnonzero(shown[:, one])
        a, b, s = (values[here, one, None, None].astype(np.float32) for values in (left, top, size))
        square = ((x[here] - a) ** 2 + (y[here] - b) ** 2) / (s * s)
        cover[here] = np.maximum(cover[here], np.exp(-(square**2)))
    return cover


def _exudates(many: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Four to six clusters anywhere, of six to nine small dots each."""
    clusters, dots = 6, 9
    far, turn = _uniform(rng, 0.25, 0.80, many, clusters), _uniform(rng, 0, 2 * np.pi, many, clusters)
    near, way = 0.13 * np.sqrt(rng.random((many, clusters, dots))), _uniform(rng, 0, 2 * np.pi, many, clusters, dots)
    left = (far * np.cos(turn))[..., None] + near * np.cos(way)
    top = (far * np.sin(turn))[..., None] + near * np.sin(way)
    shown = (np.arange(clusters) < rng.integers(4, clusters + 1, (many, 1)))[..., None]
    shown = shown & (np.arange(dots) < rng.integers(6, dots + 1, (many, clusters, 1)))
    size = _uniform(rng, 0.026, 0.040, many, clusters, dots)
    return tuple(one.reshape(many, -1) for one in (left, top, size, shown))


def _drusen(many: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A ring of 14 to 20 dots about the macula, of any width and with gaps."""
    dots = 20
    radius = _uniform(rng, 0.24, 0.40, many, 1) + 0.02 * rng.standard_normal((many, dots))
    count = rng.integers(14, dots + 1, (many, 1))
    turn = _uniform(rng, 0, 2 * np.pi, many, 1) + 2 * np.pi * np.arange(dots) / count
    turn = turn + 0.10 * rng.standard_normal((many, dots))
    shown = np.arange(dots) < count
    size = _uniform(rng, 0.030, 0.044, many, dots)
    return MACULA[0] + radius * np.cos(turn), MACULA[1] + radius * np.sin(turn), size, shown


def _scars(many: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A jittered grid of 30 to 45 burns in the periphery, as pan-retinal laser treatment leaves."""
    spots = 48
    turn = _uniform(rng, 0, 2 * np.pi, many, 1) + 2 * np.pi * (np.arange(spots) // 3) / (spots / 3)
    far = 0.60 + 0.13 * (np.arange(spots) % 3) + 0.02 * rng.standard_normal((many, spots))
    turn = turn + 0.13 * (np.arange(spots) % 3) + 0.03 * rng.standard_normal((many, spots))
    shown = rng.random((many, spots)) < _uniform(rng, 0.65, 0.95, many, 1)
    size = np.full((many, spots), 0.045) * _uniform(rng, 0.85, 1.15, many, 1)
    return far * np.cos(turn), far * np.sin(turn), size, shown


def _haemorrhages(many: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Fourteen to 24 dark blots anywhere, of unequal size."""
    spots = 24
    far, turn = 0.9 * np.sqrt(rng.random((many, spots))), _uniform(rng, 0, 2 * np.pi, many, spots)
    shown = np.arange(spots) < rng.integers(14, spots + 1, (many, 1))
    size = 0.05 * np.exp(0.3 * rng.standard_normal((many, spots)))
    return far * np.cos(turn), far * np.sin(turn), size, shown


def _uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> np.ndarray:
    return rng.uniform(low, high, shape)


PLACES = {"exudates": _exudates, "drusen": _drusen, "scars": _scars, "haemorrhages": _haemorrhages}
