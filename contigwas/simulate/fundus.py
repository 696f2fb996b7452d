"""Simulate batches of fundus photographs from six latent traits.

Coordinates: the round field of view has radius 1, x to the right, y down. Every eye is drawn as a right eye, with the
optic disc at x = +0.48 and the macula to its left. Left eyes are mirrored at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from contigwas.simulate.settings import LATENTS

DISC = (0.48, 0.0)
MACULA = (-0.14, 0.05)
FIELD = 0.97  # radius of the field of view, relative to half the image
FUNDUS = (0.80, 0.40, 0.19)  # red, green and blue of a fundus with mean pigmentation
MELANIN = (0.13, 0.22, 0.24)  # absorption per SD of pigment, log units
RIM = (0.96, 0.68, 0.36)
CUP = (1.00, 0.98, 0.86)
LESION = (0.95, 0.84, 0.42)
BLOOD = (0.50, 0.72, 0.62)  # absorption of a vessel that fills a pixel
MAX_LESIONS = 14
# slope, bend and relative width of the vessels: x = DISC + slope s + bend s², where s is the distance up or down
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
    """Camera position of each image, which transforms image coordinates (across, down) into eye coordinates (x, y).

    `line` (size,) are the pixel centres in either direction. `sine`, `cosine`, `zoom` and `shift` are (n, 1, 1).
    """

    line: np.ndarray
    sine: np.ndarray
    cosine: np.ndarray
    zoom: np.ndarray
    shift: np.ndarray

    @classmethod
    def draw(cls, many: int, size: int, nuisance: float, rng: np.random.Generator) -> "Frame":
        """Draw random rotations (SD 6 degrees), zooms (3 %) and shifts (3.5 % of the radius), times `nuisance`."""
        line = ((np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1) / FIELD
        angle = np.deg2rad(6.0) * nuisance * _normal(rng, many, 1, 1)
        zoom = np.exp(0.03 * nuisance * _normal(rng, many, 1, 1))
        return cls(line, np.sin(angle), np.cos(angle), zoom, 0.035 * nuisance * _normal(rng, 2, many, 1, 1))

    @property
    def pixel(self) -> float:
        """Width of a pixel."""
        return float(self.line[1] - self.line[0])

    def x(self, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Return x of the eye at a position in the image."""
        return (self.cosine * across + self.sine * down) * self.zoom + self.shift[0]

    def y(self, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Return y of the eye at a position in the image."""
        return (self.cosine * down - self.sine * across) * self.zoom + self.shift[1]

    def across(self, x: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Return the horizontal image position of the eye's `x` in the row `down`."""
        return ((x - self.shift[0]) / self.zoom - self.sine * down) / self.cosine


def render(
    latents: np.ndarray,
    right: np.ndarray,
    size: int,
    nuisance: float,
    rng: np.random.Generator,
    mark: Callable[[np.ndarray, np.ndarray, np.ndarray], None] | None = None,
) -> np.ndarray:
    """Draw one image per row of `latents`: uint8 (n, size, size, 3).

    `latents` (n, 6) are disc, cup, calibre, tortuosity, pigment and lesions in SD. `right` (n,) is True for right eyes.
    `nuisance` scales rotation, shift, illumination, hue, texture, blur and noise, but not the random course of vessels
    and positions of lesions. `mark(image, x, y)` draws marks that do not depend on traits below disc and vessels.
    """
    traits = dict(zip(LATENTS, np.clip(latents, -3.5, 3.5).astype(np.float32).T[:, :, None, None], strict=True))
    frame = Frame.draw(len(latents), size, nuisance, rng)
    x, y = frame.x(frame.line, frame.line[:, None]), frame.y(frame.line, frame.line[:, None])
    shade = 1 - 0.42 * np.exp(-((x - MACULA[0]) ** 2 + (y - MACULA[1]) ** 2) / (2 * 0.15**2))
    shade *= 1 + 0.05 * nuisance * _texture(len(latents), size, rng)
    image = np.empty((len(latents), 3, size, size), np.float32)
    for channel, (level, absorption) in enumerate(zip(FUNDUS, MELANIN, strict=True)):
        np.multiply(level * np.exp(-absorption * traits["pigment"]), shade, out=image[:, channel])
    _blend(image, _lesions(x, y, traits["lesions"], rng), LESION)
    if mark is not None:
        mark(image, x, y)
    disc, cup = _disc_and_cup(x, y, traits["disc"], traits["cup"], frame.pixel)
    _blend(image, disc, RIM)
    _blend(image, cup, CUP)
    vessels = _vessels(frame, traits["calibre"], traits["tortuosity"], rng)
    for channel, absorption in enumerate(BLOOD):
        image[:, channel] *= 1 - absorption * vessels
    image[~right] = image[~right, :, :, ::-1]
    return _photograph(image, frame, nuisance, rng)


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw standard normal numbers, float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def _texture(many: int, size: int, rng: np.random.Generator, knots: int = 9) -> np.ndarray:
    """Draw smooth random fields of unit SD, bilinear between knots: (n, size, size)."""
    place = np.linspace(0, knots - 1, size, dtype=np.float32)
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(knots, dtype=np.float32)), 0)
    field = weights @ _normal(rng, many, knots, knots) @ weights.T
    return field / 0.667


def _blend(image: np.ndarray, opacity: np.ndarray, colour: tuple[float, float, float]) -> None:
    """Blend a colour into images (n, 3, size, size) with opacity `opacity` (n, size, size), in place."""
    for channel, level in enumerate(colour):
        image[:, channel] += opacity * (level - image[:, channel])


def _edge(distance: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """Return 1 inside (distance < 0) and 0 outside, with a smooth ramp of `width` between."""
    ramp = np.clip(0.5 - distance / width, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def _disc_and_cup(
    x: np.ndarray, y: np.ndarray, disc: np.ndarray, cup: np.ndarray, pixel: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the opacity of the optic disc and of its cup, whose diameter is relative to the disc: (n, size, size)."""
    radius = 0.185 * np.exp(0.15 * disc)
    ratio = np.clip(0.50 + 0.13 * cup, 0.12, 0.92)
    away = np.hypot((x - DISC[0]) / 0.86, y - DISC[1])
    return 0.95 * _edge(away - radius, 0.04 + pixel), 0.9 * _edge(away - ratio * radius, 0.03 + pixel)


def _lesions(x: np.ndarray, y: np.ndarray, trait: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the opacity of bright spots around the macula, whose number and size increase with the trait."""
    many = len(trait)
    count = np.minimum(rng.poisson(2.0 * np.exp(0.7 * trait[:, 0, 0])), MAX_LESIONS)
    far = 0.14 + 0.56 * np.sqrt(rng.random((many, MAX_LESIONS), dtype=np.float32))
    turn = 2 * np.pi * rng.random((many, MAX_LESIONS), dtype=np.float32)
    size = (0.030 + 0.014 * rng.random((many, MAX_LESIONS), dtype=np.float32)) * np.exp(0.15 * trait[:, 0])
    left, top = MACULA[0] + far * np.cos(turn), MACULA[1] + far * np.sin(turn)
    away = np.hypot(left - DISC[0], top - DISC[1]) > 0.3
    height = np.where((np.arange(MAX_LESIONS) < count[:, None]) & away, np.float32(0.85), np.float32(0))
    opacity = np.zeros_like(x)
    for column in np.flatnonzero(height.any(axis=0)):
        rows = np.flatnonzero(height[:, column])
        square = (x[rows] - left[rows, column, None, None]) ** 2 + (y[rows] - top[rows, column, None, None]) ** 2
        spot = height[rows, column, None, None] * np.exp(-square / (2 * size[rows, column, None, None] ** 2))
        opacity[rows] = np.maximum(opacity[rows], spot)
    return opacity


def _vessels(frame: Frame, calibre: np.ndarray, tortuosity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the opacity of vessels, arcades that leave the disc upwards and downwards: (n, size, size).

    A vessel is x as a function of the distance s from the disc. Its crossing with each row of the image is computed
    first (n, rows). The opacity of a pixel then depends on the distance from the crossing.
    """
    many, size = len(calibre), len(frame.line)
    width = 0.027 * np.exp(0.26 * calibre)
    swing = 0.024 * np.exp(0.45 * tortuosity)
    transparency = np.ones((many, size, size), np.float32)
    half = int(np.ceil(0.62 * size))
    for way, rows in ((-1, slice(0, half)), (1, slice(size - half, size))):
        down = frame.line[rows, None]
        for slope, bend, relative_width in VESSELS:
            a, b, frequency, thickness = (values[:, None, None] for values in _normal(rng, 4, many))
            phase = 2 * np.pi * rng.random((many, 1, 1), dtype=np.float32)
            a, b, frequency = slope + 0.05 * a, bend * (1 + 0.15 * b), 21 * np.exp(0.12 * frequency)
            across = np.full((many, half, 1), frame.across(np.float32(DISC[0]), np.float32(0)), np.float32)
            for _ in range(4):  # y of the row depends weakly on the position of the vessel in the row
                along = way * (frame.y(across, down) - DISC[1])
                s = np.clip(along, 0, 1.6)
                course = a * s + b * s * s + swing * np.minimum(s / 0.2, 1) * np.sin(frequency * s + phase)
                across = frame.across(DISC[0] + course, down)
            incline = np.gradient(across, frame.pixel, axis=1)
            radius = width * relative_width * np.exp(0.08 * thickness) * np.clip(1.1 - 0.6 * s, 0.35, 1)
            blurred = radius * radius + (0.5 * frame.pixel) ** 2
            # vessels are fainter on the disc, so that the cup remains visible
            strength = 0.85 * radius / np.sqrt(blurred) * np.clip(along / 0.25 + 0.25, 0, 1)
            opacity = frame.line - across
            opacity *= opacity
            opacity *= -1 / (blurred * (1 + incline * incline))
            np.exp(opacity, out=opacity)
            opacity *= -strength
            opacity += 1
            transparency[:, rows] *= opacity
    return 1 - transparency


def _photograph(image: np.ndarray, frame: Frame, nuisance: float, rng: np.random.Generator) -> np.ndarray:
    """Add camera effects (illumination, hue, the round field, blur, noise) and convert to uint8 (n, size, size, 3)."""
    many, _, size, _ = image.shape
    line = np.linspace(-1, 1, size, dtype=np.float32)
    gain = np.exp(0.10 * nuisance * _normal(rng, many, 1, 1))
    tilt = 0.08 * nuisance * _normal(rng, 2, many, 1, 1)
    radius = np.hypot(frame.line, frame.line[:, None])
    light = gain * (1.03 - 0.22 * radius**2) * (1 + tilt[0] * line + tilt[1] * line[:, None])
    light *= _edge(radius - 1, 2 * frame.pixel)
    image *= np.exp(0.04 * nuisance * _normal(rng, many, 3, 1, 1)) * light[:, None]
    # blur is relative to a 64-pixel image, so that larger images are not sharper
    sigma = nuisance * size / 64 * (0.15 + 0.75 * rng.random((many, 1, 1), dtype=np.float32))
    step = np.arange(size, dtype=np.float32)
    kernel = np.exp(-((step[:, None] - step) ** 2) / (2 * np.maximum(sigma, 1e-2) ** 2))
    kernel = (kernel / kernel.sum(axis=2, keepdims=True))[:, None]
    image = kernel @ image @ kernel.transpose(0, 1, 3, 2)
    grain = nuisance * (0.008 + 0.022 * rng.random((many, 1, 1, 1), dtype=np.float32))
    image += grain * _normal(rng, *image.shape)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(0, 2, 3, 1)
