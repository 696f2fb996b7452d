"""One photograph: decode it, cut out the field of view, bring it to size, measure it."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from contigwas.images.fundus import Field, find_field

SEARCH_SIZE = 256  # pixels of the longer side on which the field is looked for: fast, and noise averages out
DECODE_ERRORS = (OSError, ValueError, SyntaxError, struct.error, zlib.error, Image.DecompressionBombError)
BLACK = 10  # grey levels of 255: an image whose brightest hundredth lies below shows nothing


@dataclass(frozen=True)
class Photograph:
    """Pixels (size, size, 3) uint8, or None where the file gave none, and figures measured inside the field of view.

    brightness: mean grey level (of 255); contrast: SD of the grey levels; sharpness: variance of the Laplacian;
    reason: empty, `missing`, `unreadable`, `black` or `blank`.
    """

    pixels: np.ndarray | None
    brightness: float = float("nan")
    contrast: float = float("nan")
    sharpness: float = float("nan")
    reason: str = ""


def read_photograph(path: Path, size: int, crop: str, min_sd: float) -> Photograph:
    """Read one image file as RGB of `size` x `size` pixels; never raises for what the file holds.

    `crop` is `fundus` (the square round the field of view, black where the frame cuts it) or `none` (the whole
    picture, black bars where it is not square). An image whose grey levels have an SD below `min_sd` is blank.
    """
    if not path.is_file():
        return Photograph(None, reason="missing")
    try:
        with Image.open(path) as file:
            # a JPEG decodes at a half, a quarter … of its size for far less work; 4 x leaves room for the crop
            file.draft("RGB", (4 * size, 4 * size))
            image = ImageOps.exif_transpose(_eight_bits(file)).convert("RGB")
    except DECODE_ERRORS:
        return Photograph(None, reason="unreadable")
    square, field = _square(image, find_fundus(image) if crop == "fundus" else None, size)
    return _measure(np.asarray(square), field, min_sd)


def find_fundus(image: Image.Image) -> Field | None:
    """The field of view of an RGB image, in its pixels."""
    factor = max(1, round(max(image.size) / SEARCH_SIZE))
    small = image.reduce(factor) if factor > 1 else image
    # max over the channels: a dark retina is still red
    found = find_field(np.asarray(small).max(axis=2))
    if found is None:
        return None
    return Field(found.x * factor, found.y * factor, found.radius * factor, found.round)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit and floating grey images scaled to 8 bits (Pillow's own conversion clips them)."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float64)
    top = max(float(values.max()), 1.0)
    scale = 255.0 if top <= 255 else 65535.0 if top <= 65535 else top
    return Image.fromarray((values.clip(0, scale) * (255.0 / scale)).astype(np.uint8))


def _square(image: Image.Image, field: Field | None, size: int) -> tuple[Image.Image, np.ndarray]:
    """The square of `size` pixels round the field (or round the whole picture), and a mask of what the camera saw."""
    width, height = image.size
    whole = max(width, height)
    fills = field is not None and width == height and abs(2 * field.radius - whole) < 0.06 * whole
    if field is None or fills:
        # a field that already fills its frame stays as it is: the search would only jitter it
        is_round = field is not None and field.round
        field = Field(width / 2, height / 2, whole / 2, is_round)
    left, top, right, bottom = (round(edge) for edge in field.box)
    square = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    square = square.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    at = (np.arange(size) + 0.5) / size
    x, y = left + at * (right - left), top + at * (bottom - top)
    seen = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None, :]
    if field.round:
        seen &= (at[:, None] - 0.5) ** 2 + (at[None, :] - 0.5) ** 2 <= 0.48**2
    return square, seen


def _measure(pixels: np.ndarray, seen: np.ndarray, min_sd: float) -> Photograph:
    grey = pixels.astype(np.float32) @ np.float32([0.299, 0.587, 0.114])
    inside = grey[seen]
    contrast = float(inside.std())
    laplacian = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    core = seen[1:-1, 1:-1] & seen[:-2, 1:-1] & seen[2:, 1:-1] & seen[1:-1, :-2] & seen[1:-1, 2:]
    sharpness = float(laplacian[core].var()) if core.any() else 0.0
    reason = "black" if np.percentile(inside, 99) < BLACK else "blank" if contrast < min_sd else ""
    return Photograph(pixels, float(inside.mean()), contrast, sharpness, reason)
