"""One photograph, DICOM or what Pillow reads: decode it, cut out the field of view, supply it to size, measure it."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from contigwas.images.decoded import Decoded, measure
from contigwas.images.fundus import Field, find_field

SEARCH_SIZE = 256  # pixels of the longer side on which the field is looked for: fast, and noise averages out
DECODE_ERRORS = (OSError, ValueError, SyntaxError, struct.error, zlib.error, Image.DecompressionBombError)
DICOM = (".dcm", ".dicom")
Box = tuple[float, float, float, float]  # left, top, right, bottom, as shares of the picture; may reach beyond it
GREY = np.float32([0.299, 0.587, 0.114])  # weights of red, green and blue (ITU-R BT.601)


def read_photograph(path: Path, size: int, crop: str, min_sd: float) -> Decoded:
    """Read one image file as RGB of `size` x `size` pixels; never raises for what the file holds.

    `crop` is `fundus` (the square round the field of view, black where the frame cuts it) or `none` (the whole
    picture, black bars where it is not square). An image whose grey levels have an SD below `min_sd` is blank.
    """
    return placed_photograph(path, size, crop, min_sd)[0]


def placed_photograph(path: Path, size: int, crop: str, min_sd: float) -> tuple[Decoded, Box | None]:
    """What `read_photograph` gives, and the square of the picture that it shows; None where nothing was decoded."""
    if not path.is_file():
        return Decoded(None, reason="missing"), None
    image = _dicom(path) if is_dicom(path) else _decode(path, size)
    if isinstance(image, Decoded):
        return image, None
    field, is_round = _field(image, find_fundus(image) if crop == "fundus" else None)
    pixels = np.asarray(_resized(image, field, size))
    width, height = image.size
    left, top, right, bottom = field
    box = left / width, top / height, right / width, bottom / height
    decoded = measure(pixels, pixels.astype(np.float32) @ GREY, _seen(box, size, is_round), min_sd)
    return decoded, box


def frame(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture as it is shown; None where its file cannot be opened."""
    if is_dicom(path):
        image = _dicom(path)
        return None if isinstance(image, Decoded) else image.size
    try:
        with Image.open(path) as file:
            width, height = file.size
            turned = file.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    except DECODE_ERRORS:
        return None
    return (height, width) if turned else (width, height)


def _decode(path: Path, size: int) -> Image.Image | Decoded:
    """The picture in RGB, at least 4 x `size` wide where the file is."""
    try:
        with Image.open(path) as file:
            # a JPEG decodes at a half, a quarter … of its size for far less work; 4 x leaves room for the crop
            file.draft("RGB", (4 * size, 4 * size))
            return ImageOps.exif_transpose(_eight_bits(file)).convert("RGB")
    except DECODE_ERRORS:
        return Decoded(None, reason="unreadable")


def is_dicom(path: Path) -> bool:
    """By the suffix, or by the mark in a file that has none."""
    if path.suffix:
        return path.suffix.lower() in DICOM
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _dicom(path: Path) -> Image.Image | Decoded:
    from contigwas.images import dicom  # MONAI takes seconds to import, which a study of JPEGs need not wait for

    try:
        return dicom.read_dicom(path)
    except dicom.SeveralFrames:
        return Decoded(None, reason="several frames")
    except dicom.NoDecoder as error:
        return Decoded(None, reason="unreadable", codec=str(error))
    except dicom.ERRORS:
        return Decoded(None, reason="unreadable")


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


def _field(image: Image.Image, field: Field | None) -> tuple[tuple[int, int, int, int], bool]:
    """Left, top, right, bottom of the square round the field (or round the whole picture), and whether it is round."""
    width, height = image.size
    whole = max(width, height)
    fills = field is not None and width == height and abs(2 * field.radius - whole) < 0.06 * whole
    if field is None or fills:
        # a field that already fills its frame stays as it is: the search would only jitter it
        is_round = field is not None and field.round
        field = Field(width / 2, height / 2, whole / 2, is_round)
    left, top, right, bottom = (round(edge) for edge in field.box)
    return (left, top, max(right, left + 1), max(bottom, top + 1)), field.round


def _resized(image: Image.Image, field: tuple[int, int, int, int], size: int) -> Image.Image:
    return image.crop(field).resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)


def _seen(box: Box, size: int, is_round: bool) -> np.ndarray:
    """What the camera saw of a square of `size` pixels: bool (size, size)."""
    at = (np.arange(size) + 0.5) / size
    left, top, right, bottom = box
    x, y = left + at * (right - left), top + at * (bottom - top)
    seen = ((y >= 0) & (y < 1))[:, None] & ((x >= 0) & (x < 1))[None, :]
    if is_round:
        seen &= (at[:, None] - 0.5) ** 2 + (at[None, :] - 0.5) ** 2 <= 0.48**2
    return seen
