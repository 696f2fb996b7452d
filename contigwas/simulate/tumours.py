"""Simulate tumours whose size, border, halo, core and brightness depend on expression programmes, and lookalikes.

Planted effects (programmes in SD, limited to ±2.5; lengths in half-widths of the image; e is noise of unit SD):

- proliferation: radius = 0.19 exp(0.25 proliferation + 0.08 e)
- invasion: an irregular border, radius x (1 + irregularity f(direction)), irregularity = 0.10 exp(0.4 invasion), at
  most 0.35; f is a smooth random function of the direction
- oedema: outside the border the brightness fades over a halo of width 0.05 exp(0.5 oedema), which is not in the mask
- necrosis: within core x radius the contrast is inverted, core = 0.25 + 0.15 necrosis, limited to 0 to 0.6
- angiogenesis: contrast = sign(angiogenesis) x `contrast` x (0.75 + 0.25 |angiogenesis|), so that a tumour is brighter
  than the tissue above 0, and darker below 0
- atrophy: the ventricles (`contigwas.simulate.brain.anatomy`)

A lookalike is drawn in the same way from independent programmes (standard normal), with the opposite polarity of the
tumour. The image alone cannot distinguish the two, but the sign of angiogenesis can.
"""

from dataclasses import dataclass

import numpy as np

from contigwas.simulate.brain import BRAIN, HEAD, Places, anatomy, edge, normal, over, radius, scan
from contigwas.simulate.settings import PROGRAMMES, Lesions

CANDIDATES = 12  # candidate positions of a lookalike
DEPTH_RANGE = (0.20, 0.60)  # range of tumour positions, relative to the radius of the head
BASE = 0.64  # brightness of tumour tissue without contrast, close to that of white matter
REPLACED = 0.75  # share of the brightness of the tissue that a tumour replaces
WAVES = 4


@dataclass(frozen=True)
class Tumours:
    """One tumour per image: centre (n, axes) in head coordinates; other attributes (n,) as in the module docstring."""

    centre: np.ndarray
    radius: np.ndarray
    irregularity: np.ndarray
    halo: np.ndarray
    core: np.ndarray
    contrast: np.ndarray

    @classmethod
    def of(cls, programmes: np.ndarray, contrast: float, axes: int, rng: np.random.Generator) -> "Tumours":
        """Draw tumours from programmes (n, 6) in SD, with random centres at some depth in the brain."""
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
        """Draw centres (n, axes) that do not touch `others`: the first of 12 candidates, else the most distant one."""
        many, axes = self.centre.shape
        candidates = np.stack([_centres(many, axes, rng) for _ in range(CANDIDATES)], axis=1)
        clearance = np.linalg.norm(candidates - others.centre[:, None], axis=2)
        clearance -= (self.radius + others.radius + self.halo + others.halo)[:, None]
        best = np.where((clearance > 0).any(axis=1), (clearance > 0).argmax(axis=1), clearance.argmax(axis=1))
        return candidates[np.arange(many), best]


def render(
    programmes: np.ndarray, plan: Lesions, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one head per row of `programmes` (n, 6), in SD: images, masks, and masks of lookalikes.

    All are uint8 (n, size, size) as (x, y), or (n, size, size, size) as (x, y, z), starting at the left, back and
    bottom. A mask is 1 in the tumour (or lookalike) and 0 elsewhere. `plan.nuisance` scales position, bias field, gain
    and noise, but not the random folds, texture and positions of tumours.
    """
    places = Places.draw(len(programmes), plan.dimensions, plan.size, plan.nuisance, rng)
    tumours = Tumours.of(programmes, plan.contrast, plan.dimensions, rng)
    image = anatomy(places, programmes[:, PROGRAMMES.index("atrophy")], rng)
    brain = radius(places.points) < BRAIN * 0.97
    masks = _draw(image, places, tumours, brain, rng)
    others = np.zeros_like(masks)
    with_lookalike = np.flatnonzero(rng.random(len(programmes)) < plan.distractors)
    if len(with_lookalike):
        lookalike_programmes = rng.standard_normal((len(with_lookalike), len(PROGRAMMES)))
        polarity = lookalike_programmes[:, PROGRAMMES.index("angiogenesis")]
        lookalike_programmes[:, PROGRAMMES.index("angiogenesis")] = -np.sign(tumours.contrast[with_lookalike]) * np.abs(
            polarity
        )
        own_tumours = Tumours(*(getattr(tumours, name)[with_lookalike] for name in Tumours.__dataclass_fields__))
        lookalikes = Tumours.of(lookalike_programmes, plan.contrast, plan.dimensions, rng)
        lookalikes = Tumours(lookalikes.away_from(own_tumours, rng), *list(vars(lookalikes).values())[1:])
        lookalike_images = image[with_lookalike]
        room = brain[with_lookalike] & (masks[with_lookalike] == 0)
        others[with_lookalike] = _draw(
            lookalike_images, Places(places.points[with_lookalike], places.pixel), lookalikes, room, rng
        )
        image[with_lookalike] = lookalike_images
    return scan(image, places, plan.nuisance, rng), masks, others


def _centres(many: int, axes: int, rng: np.random.Generator) -> np.ndarray:
    """Draw random positions (n, axes) in the brain, uniform over the volume between two depths."""
    direction = normal(rng, many, axes)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    low, high = (bound**axes for bound in DEPTH_RANGE)
    depth = rng.uniform(low, high, (many, 1)) ** (1 / axes)
    return (direction * depth * np.asarray(HEAD[:axes])).astype(np.float32)


def _draw(
    image: np.ndarray, places: Places, tumours: Tumours, room: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw one tumour into every image (n, *grid), in place, within `room` (bool); return its mask, uint8."""
    offset = places.points - tumours.centre.reshape(*tumours.centre.shape, *[1] * (image.ndim - 1))
    distance = np.sqrt((offset**2).sum(axis=1))
    shape = _border(offset / np.maximum(distance, 1e-6)[:, None], rng)
    border = over(tumours.radius, distance) * (1 + over(tumours.irregularity, distance) * shape)
    outside = distance - border
    mask = (outside < 0) & room
    contrast = over(tumours.contrast, distance)
    opacity = edge(-outside, 2.5 * places.pixel) * room
    core = edge(over(tumours.core, distance) * border - distance, 2 * places.pixel)
    image += opacity * (REPLACED * (BASE - image) + contrast * (1 - 1.6 * core))
    fade = np.exp(-np.maximum(outside, 0) / over(tumours.halo, distance))
    image += (1 - opacity) * room * 0.6 * fade * contrast
    return mask.astype(np.uint8)


def _border(direction: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a smooth random function of the direction `direction` (n, axes, *grid), with about unit SD, limited to ±2.

    The function is a sum of sines of projections of the direction, so it is continuous in two and three dimensions.
    """
    many, axes = direction.shape[:2]
    along = 3.0 * normal(rng, many, WAVES, axes)
    phase = 2 * np.pi * rng.random((many, WAVES, 1), dtype=np.float32)
    total = np.sin(along @ direction.reshape(many, axes, -1) + phase).sum(axis=1) / np.float32(np.sqrt(WAVES / 2))
    return np.clip(total, -2, 2).reshape(many, *direction.shape[2:])
