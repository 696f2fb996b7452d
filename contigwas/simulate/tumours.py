"""Tumours whose size, border, halo, core and brightness follow expression programmes, and lookalikes of other polarity.

What is planted (programmes in SD, within ±2.5; lengths in half-widths of the picture; e is noise of unit SD):

- proliferation: radius = 0.19 exp(0.25 proliferation + 0.08 e)
- invasion: the border waves, radius x (1 + irregularity f(direction)), irregularity = 0.10 exp(0.4 invasion), 0.35 at
  most; f is a smooth random function of the direction
- oedema: beyond the border the brightness fades over a halo, width = 0.05 exp(0.5 oedema); it is not in the mask
- necrosis: within core x radius the contrast is turned over, core = 0.25 + 0.15 necrosis, between 0 and 0.6
- angiogenesis: contrast = sign(angiogenesis) x `contrast` x (0.75 + 0.25 |angiogenesis|): above 0 a tumour is brighter
  than the tissue, below 0 darker
- atrophy: the ventricles (`contigwas.simulate.brain.anatomy`)

A lookalike is drawn in the same way from programmes of its own (standard normal), with the polarity that the tumour
has not: in a picture alone, nothing tells which of the two is the tumour, and the sign of angiogenesis does.
"""

from dataclasses import dataclass

import numpy as np

from contigwas.simulate.brain import BRAIN, HEAD, Places, anatomy, edge, normal, over, radius, scan
from contigwas.simulate.settings import PROGRAMMES, Lesions

CANDIDATES = 12  # places tried for a lookalike
DEEP = (0.20, 0.60)  # of the head's radius: where tumours sit
BASE = 0.64  # brightness of tumour tissue without contrast: nearly that of white matter
REPLACED = 0.75  # share of the tissue's own brightness that a tumour takes away
WAVES = 4


@dataclass(frozen=True)
class Tumours:
    """One tumour a picture: centre (n, axes) in the head's coordinates, all else (n,), as in the module's text."""

    centre: np.ndarray
    radius: np.ndarray
    irregularity: np.ndarray
    halo: np.ndarray
    core: np.ndarray
    contrast: np.ndarray

    @classmethod
    def of(cls, programmes: np.ndarray, contrast: float, axes: int, rng: np.random.Generator) -> "Tumours":
        """From programmes (n, 6) in SD; centres are at random in the depth of the brain, off the middle plane."""
        trait = dict(zip(PROGRAMMES, np.clip(programmes, -2.5, 2.5).astype(np.float32).T, strict=True))
        size = 0.19 * np.exp(0.25 * trait["proliferation"] + 0.08 * normal(rng, len(programmes)))
        polarity = np.where(trait["angiogenesis"] > 0, np.float32(1), np.float32(-1))
        return cls(
            centre=_centres(len(programmes), axes, rng),
            radius=size,
            irregularity=np.minimum(0.10 * np.exp(0.4 * trait["invasion"]), 0.35),
            halo=0.05 * np.exp(0.5 * trait["oedema"]),
            core=np.clip(0.25 + 0.15 * trait["necrosis"], 0, 0.6),
            contrast=polarity * contrast * (0.75 + 0.25 * np.abs(trait["angiogenesis"])),
        )

    def away_from(self, others: "Tumours", rng: np.random.Generator) -> np.ndarray:
        """Centres (n, axes) at which these do not touch the `others`: the first of 12 at random, else the farthest."""
        many, axes = self.centre.shape
        tried = np.stack([_centres(many, axes, rng) for _ in range(CANDIDATES)], axis=1)
        free = np.linalg.norm(tried - others.centre[:, None], axis=2)
        free -= (self.radius + others.radius + self.halo + others.halo)[:, None]
        best = np.where((free > 0).any(axis=1), (free > 0).argmax(axis=1), free.argmax(axis=1))
        return tried[np.arange(many), best]


def render(
    programmes: np.ndarray, plan: Lesions, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one head a row of `programmes` (n, 6), in SD: pictures, masks and lookalikes.

    All are uint8 (n, size, size) as (x, y), or (n, size, size, size) as (x, y, z), from left, back and bottom. A mask
    is 1 in the tumour and 0 elsewhere; a lookalike, which is in no mask, is 1 likewise. `plan.nuisance` scales
    position, bias field, gain and noise; folds, texture and the places of tumours are the head's own and stay.
    """
    places = Places.draw(len(programmes), plan.dimensions, plan.size, plan.nuisance, rng)
    tumours = Tumours.of(programmes, plan.contrast, plan.dimensions, rng)
    picture = anatomy(places, programmes[:, PROGRAMMES.index("atrophy")], rng)
    brain = radius(places.points) < BRAIN * 0.97
    masks = _draw(picture, places, tumours, brain, rng)
    others = np.zeros_like(masks)
    doubled = np.flatnonzero(rng.random(len(programmes)) < plan.distractors)
    if len(doubled):
        own = rng.standard_normal((len(doubled), len(PROGRAMMES)))
        polarity = own[:, PROGRAMMES.index("angiogenesis")]
        own[:, PROGRAMMES.index("angiogenesis")] = -np.sign(tumours.contrast[doubled]) * np.abs(polarity)
        here = Tumours(*(getattr(tumours, name)[doubled] for name in Tumours.__dataclass_fields__))
        lookalikes = Tumours.of(own, plan.contrast, plan.dimensions, rng)
        lookalikes = Tumours(lookalikes.away_from(here, rng), *list(vars(lookalikes).values())[1:])
        part = picture[doubled]
        room = brain[doubled] & (masks[doubled] == 0)
        others[doubled] = _draw(part, Places(places.points[doubled], places.pixel), lookalikes, room, rng)
        picture[doubled] = part
    return scan(picture, places, plan.nuisance, rng), masks, others


def _centres(many: int, axes: int, rng: np.random.Generator) -> np.ndarray:
    """Random places (n, axes) in the brain, uniform over its volume between two depths."""
    way = normal(rng, many, axes)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    low, high = (bound**axes for bound in DEEP)
    far = rng.uniform(low, high, (many, 1)) ** (1 / axes)
    return (way * far * np.asarray(HEAD[:axes])).astype(np.float32)


def _draw(
    picture: np.ndarray, places: Places, tumours: Tumours, room: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Paint one tumour into every picture (n, *grid), in place, where there is `room`; returns its mask, uint8."""
    off = places.points - tumours.centre.reshape(*tumours.centre.shape, *[1] * (picture.ndim - 1))
    away = np.sqrt((off**2).sum(axis=1))
    shape = _border(off / np.maximum(away, 1e-6)[:, None], rng)
    border = over(tumours.radius, away) * (1 + over(tumours.irregularity, away) * shape)
    beyond = away - border
    mask = (beyond < 0) & room
    contrast = over(tumours.contrast, away)
    cover = edge(-beyond, 2.5 * places.pixel) * room
    core = edge(over(tumours.core, away) * border - away, 2 * places.pixel)
    picture += cover * (REPLACED * (BASE - picture) + contrast * (1 - 1.6 * core))
    fade = np.exp(-np.maximum(beyond, 0) / over(tumours.halo, away))
    picture += (1 - cover) * room * 0.6 * fade * contrast
    return mask.astype(np.uint8)


def _border(way: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth random function of the direction `way` (n, axes, *grid), of about unit SD and within ±2.

    A sum of sines of the direction's projections: without a seam, in two dimensions and in three.
    """
    many, axes = way.shape[:2]
    along = 3.0 * normal(rng, many, WAVES, axes)
    phase = 2 * np.pi * rng.random((many, WAVES, 1), dtype=np.float32)
    total = np.sin(along @ way.reshape(many, axes, -1) + phase).sum(axis=1) / np.float32(np.sqrt(WAVES / 2))
    return np.clip(total, -2, 2).reshape(many, *way.shape[2:])
