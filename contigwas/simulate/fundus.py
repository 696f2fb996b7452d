"""Pictures that look like fundus photographs, drawn from six latent traits, many at once.

Coordinates: the round field of view has radius 1, x to the right, y down. Every eye is drawn as a right eye, whose
optic disc stands at x = +0.48 with the macula left of it; a left eye is mirrored in the end.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from contigwas.simulate.settings import LATENTS

DISC = (0.48, 0.0)
MACULA = (-0.14, 0.05)
FIELD = 0.97  # radius of the field of view, as a share of half the picture
FUNDUS = (0.80, 0.40, 0.19)  # red, green, blue of a fundus of mean pigmentation
MELANIN = (0.13, 0.22, 0.24)  # what one SD of pigment absorbs, log units
RIM = (0.96, 0.68, 0.36)
CUP = (1.00, 0.98, 0.86)
LESION = (0.95, 0.84, 0.42)
BLOOD = (0.50, 0.72, 0.62)  # absorbed by a vessel that fills a pixel
MOST_LESIONS = 14
# slope and bend of the vessels from the disc: x = DISC + slope s + bend s², s the way up (or down); base width
VESSELS = (
    (-0.10, -1.55, 1.00),
    (-0.02, -1.00, 1.15),
    (-0.06, -0.62, 0.80),
    (0.05, -0.22, 0.70),
    (0.22, 0.30, 0.75),
    (0.55, 0.55, 0.60),
)


@dataclass(frozen=True)
class Frame:
    """How each picture was taken: x, y of the eye are the picture's across, down rotated, zoomed and shifted.

    `line` (size,) holds the pixel centres across or down, the others (n, 1, 1).
    """

    line: np.ndarray
    sine: np.ndarray
    cosine: np.ndarray
    zoom: np.ndarray
    shift: np.ndarray

    @classmethod
    def draw(cls, many: int, size: int, nuisance: float, rng: np.random.Generator) -> "Frame":
        """Random rotation (SD 6 degrees), zoom (3 %) and shift (3.5 % of the radius), times `nuisance`."""
        line = ((np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1) / FIELD
        angle = np.deg2rad(6.0) * nuisance * _normal(rng, many, 1, 1)
        zoom = np.exp(0.03 * nuisance * _normal(rng, many, 1, 1))
        return cls(line, np.sin(angle), np.cos(angle), zoom, 0.035 * nuisance * _normal(rng, 2, many, 1, 1))

    @property
    def pixel(self) -> float:
        """Width of a pixel."""
        return float(self.line[1] - self.line[0])

    def x(self, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        """The eye's x at a place of the picture."""
        return (self.cosine * across + self.sine * down) * self.zoom + self.shift[0]

    def y(self, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        """The eye's y at a place of the picture."""
        return (self.cosine * down - self.sine * across) * self.zoom + self.shift[1]

    def across(self, x: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Where the eye's x stands in the row `down` of the picture."""
        return ((x - self.shift[0]) / self.zoom - self.sine * down) / self.cosine


def render(
    latents: np.ndarray,
    right: np.ndarray,
    size: int,
    nuisance: float,
    rng: np.random.Generator,
    mark: Callable[[np.ndarray, np.ndarray, np.ndarray], None] | None = None,
) -> np.ndarray:
    """Draw one picture a row: uint8 (n, size, size, 3).

    `latents` (n, 6) holds disc, cup, calibre, tortuosity, pigment, lesions in SD; `right` (n,) bool says which eye.
    `nuisance` scales rotation, shift, illumination, hue, texture, blur and noise; the course of the vessels and the
    places of the lesions are the eye's own and stay. `mark(picture, x, y)` draws, below disc and vessels, what is no
    trait's.
    """
    traits = dict(zip(LATENTS, np.clip(latents, -3.5, 3.5).astype(np.float32).T[:, :, None, None], strict=True))
    frame = Frame.draw(len(latents), size, nuisance, rng)
    x, y = frame.x(frame.line, frame.line[:, None]), frame.y(frame.line, frame.line[:, None])
    shade = 1 - 0.42 * np.exp(-((x - MACULA[0]) ** 2 + (y - MACULA[1]) ** 2) / (2 * 0.15**2))
    shade *= 1 + 0.05 * nuisance * _texture(len(latents), size, rng)
    picture = np.empty((len(latents), 3, size, size), np.float32)
    for channel, (level, absorbed) in enumerate(zip(FUNDUS, MELANIN, strict=True)):
        np.multiply(level * np.exp(-absorbed * traits["pigment"]), shade, out=picture[:, channel])
    _lay(picture, _lesions(x, y, traits["lesions"], rng), LESION)
    if mark is not None:
        mark(picture, x, y)
    disc, cup = _disc_and_cup(x, y, traits["disc"], traits["cup"], frame.pixel)
    _lay(picture, disc, RIM)
    _lay(picture, cup, CUP)
    vessels = _vessels(frame, traits["calibre"], traits["tortuosity"], rng)
    for channel, absorbed in enumerate(BLOOD):
        picture[:, channel] *= 1 - absorbed * vessels
    picture[~right] = picture[~right, :, :, ::-1]
    return _photograph(picture, frame, nuisance, rng)


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def _texture(many: int, size: int, rng: np.random.Generator, knots: int = 9) -> np.ndarray:
    """Smooth random fields of unit SD (n, size, size), bilinear between knots."""
    place = np.linspace(0, knots - 1, size, dtype=np.float32)
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(knots, dtype=np.float32)), 0)
    field = weights @ _normal(rng, many, knots, knots) @ weights.T
    return field / 0.667


def _lay(picture: np.ndarray, cover: np.ndarray, colour: tuple[float, float, float]) -> None:
    """Cover, in place, the picture (n, 3, size, size) with a colour where `cover` (n, size, size) is 1."""
    for channel, level in enumerate(colour):
        picture[:, channel] += cover * (level - picture[:, channel])


def _edge(distance: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """1 inside (distance < 0), 0 outside, a smooth ramp `width` wide between them."""
    ramp = np.clip(0.5 - distance / width, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def _disc_and_cup(
    x: np.ndarray, y: np.ndarray, disc: np.ndarray, cup: np.ndarray, pixel: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cover of the optic disc and of the cup in it, whose diameter is a share of the disc's."""
    radius = 0.185 * np.exp(0.15 * disc)
    ratio = np.clip(0.50 + 0.13 * cup, 0.12, 0.92)
    away = np.hypot((x - DISC[0]) / 0.86, y - DISC[1])
    return 0.95 * _edge(away - radius, 0.04 + pixel), 0.9 * _edge(away - ratio * radius, 0.03 + pixel)


def _lesions(x: np.ndarray, y: np.ndarray, trait: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cover of bright spots about the macula; more of them, and larger, with the trait."""
    many = len(trait)
    count = np.minimum(rng.poisson(2.0 * np.exp(0.7 * trait[:, 0, 0])), MOST_LESIONS)
    far = 0.14 + 0.56 * np.sqrt(rng.random((many, MOST_LESIONS), dtype=np.float32))
    turn = 2 * np.pi * rng.random((many, MOST_LESIONS), dtype=np.float32)
    size = (0.030 + 0.014 * rng.random((many, MOST_LESIONS), dtype=np.float32)) * np.exp(0.15 * trait[:, 0])
    left, top = MACULA[0] + far * np.cos(turn), MACULA[1] + far * np.sin(turn)
    away = np.hypot(left - DISC[0], top - DISC[1]) > 0.3
    height = np.where((np.arange(MOST_LESIONS) < count[:, None]) & away, np.float32(0.85), np.float32(0))
    cover = np.zeros_like(x)
    for one in np.flatnonzero(height.any(axis=0)):
        here = np.flatnonzero(height[:, one])
        square = (x[here] - left[here, one, None, None]) ** 2 + (y[here] - top[here, one, None, None]) ** 2
        spot = height[here, one, None, None] * np.exp(-square / (2 * size[here, one, None, None] ** 2))
        cover[here] = np.maximum(cover[here], spot)
    return cover


def _vessels(frame: Frame, calibre: np.ndarray, tortuosity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How much vessel every pixel holds (n, size, size): arcades that leave the disc upwards and downwards and bend.

    A vessel is x as a function of the way s from the disc. Where it crosses each row of the picture is found first
    (n, rows), so that the pixels of the row need only their distance from there.
    """
    many, size = len(calibre), len(frame.line)
    width = 0.027 * np.exp(0.26 * calibre)
    swing = 0.024 * np.exp(0.45 * tortuosity)
    bare = np.ones((many, size, size), np.float32)
    half = int(np.ceil(0.62 * size))
    for way, rows in ((-1, slice(0, half)), (1, slice(size - half, size))):
        down = frame.line[rows, None]
        for slope, bend, thick in VESSELS:
            a, b, frequency, thickness = (one[:, None, None] for one in _normal(rng, 4, many))
            phase = 2 * np.pi * rng.random((many, 1, 1), dtype=np.float32)
            a, b, frequency = slope + 0.05 * a, bend * (1 + 0.15 * b), 21 * np.exp(0.12 * frequency)
            across = np.full((many, half, 1), frame.across(np.float32(DISC[0]), np.float32(0)), np.float32)
            for _ in range(4):  # the row's y depends, weakly, on where in the row the vessel stands
                along = way * (frame.y(across, down) - DISC[1])
                s = np.clip(along, 0, 1.6)
                course = a * s + b * s * s + swing * np.minimum(s / 0.2, 1) * np.sin(frequency * s + phase)
                across = frame.across(DISC[0] + course, down)
            incline = np.gradient(across, frame.pixel, axis=1)
            radius = width * thick * np.exp(0.08 * thickness) * np.clip(1.1 - 0.6 * s, 0.35, 1)
            blurred = radius * radius + (0.5 * frame.pixel) ** 2
            # vessels thin out on the disc, so that the cup below them can be seen
            strength = 0.85 * radius / np.sqrt(blurred) * np.clip(along / 0.25 + 0.25, 0, 1)
            cover = frame.line - across
            cover *= cover
            cover *= -1 / (blurred * (1 + incline * incline))
            np.exp(cover, out=cover)
            cover *= -strength
            cover += 1
            bare[:, rows] *= cover
    return 1 - bare


def _photograph(picture: np.ndarray, frame: Frame, nuisance: float, rng: np.random.Generator) -> np.ndarray:
    """What the camera adds: illumination, hue, the round field, blur and noise. (n, 3, size, size) to uint8 images."""
    many, _, size, _ = picture.shape
    line = np.linspace(-1, 1, size, dtype=np.float32)
    gain = np.exp(0.10 * nuisance * _normal(rng, many, 1, 1))
    tilt = 0.08 * nuisance * _normal(rng, 2, many, 1, 1)
    radius = np.hypot(frame.line, frame.line[:, None])
    light = gain * (1.03 - 0.22 * radius**2) * (1 + tilt[0] * line + tilt[1] * line[:, None])
    light *= _edge(radius - 1, 2 * frame.pixel)
    picture *= np.exp(0.04 * nuisance * _normal(rng, many, 3, 1, 1)) * light[:, None]
    # blur in pixels of a 64-pixel picture, so that larger pictures are no sharper per eye
    sigma = nuisance * size / 64 * (0.15 + 0.75 * rng.random((many, 1, 1), dtype=np.float32))
    step = np.arange(size, dtype=np.float32)
    kernel = np.exp(-((step[:, None] - step) ** 2) / (2 * np.maximum(sigma, 1e-2) ** 2))
    kernel = (kernel / kernel.sum(axis=2, keepdims=True))[:, None]
    picture = kernel @ picture @ kernel.transpose(0, 1, 3, 2)
    grain = nuisance * (0.008 + 0.022 * rng.random((many, 1, 1, 1), dtype=np.float32))
    picture += grain * _normal(rng, *picture.shape)
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(0, 2, 3, 1)
