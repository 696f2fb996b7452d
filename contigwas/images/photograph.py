"""Read one photograph (DICOM or a format of Pillow): decode, crop to the field of view, resize and measure it."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from contigwas.images.decoded import Decoded, measure
from contigwas.images.fundus import Field, find_field

SEARCH_SIZE = 256  # pixels of the longer side in the search for the field: fast, and averages noise
DECODE_ERRORS = (OSError, ValueError, SyntaxError, struct.error, zlib.error, Image.DecompressionBombError)
DICOM = (".dcm", ".dicom")
Box = tuple[float, float, float, float]  # left, top, right, bottom, as shares of the image; may extend beyond it
GREY = np.float32([0.299, 0.587, 0.114])  # weights of red, green and blue (ITU-R BT.601)


def read_photograph(path: Path, size: int, crop: str, min_sd: float) -> Decoded:
    """Read one image file as RGB of `size` x `size` pixels; never raises for the content of the file.

    `crop` is `fundus` (the square around the field of view, black beyond the frame) or `none` (the whole image, padded
    with black to a square). An image whose grey levels have an SD below `min_sd` is blank.
    """
    return placed_photograph(path, size, crop, min_sd)[0]


def placed_photograph(path: Path, size: int, crop: str, min_sd: float) -> tuple[Decoded, Box | None]:
    """Return the result of `read_photograph` and the square of the image that it shows; None if not decoded."""
    if not path.is_file():
        return Decoded(None, reason="missing"), None
    image = _dicom(path) if is_dicom(path) else _decode(path, size)
    if isinstance(image, Decoded):
        return image, None
    field, is_round = _field(image, find_fundus(image) if crop == "fundus" else None)
    pixels = np.asarray(_resize(image, field, size))
    width, height = image.size
    left, top, right, bottom = field
    box = left / width, top / height, right / width, bottom / height
    decoded = measure(pixels, pixels.astype(np.float32) @ GREY, _field_mask(box, size, is_round), min_sd)
    return decoded, box


def frame(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image in its EXIF orientation; None if its file cannot be opened."""
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
    """Decode an image to RGB, at least 4 x `size` pixels wide if the file is."""
    try:
        with Image.open(path) as file:
            # JPEG decoding at 1/2, 1/4 … of the size is much faster; 4 x keeps enough pixels for the crop
            file.draft("RGB", (4 * size, 4 * size))
            return ImageOps.exif_transpose(_eight_bits(file)).convert("RGB")
    except DECODE_ERRORS:
        return Decoded(None, reason="unreadable")


def is_dicom(path: Path) -> bool:
    """Return whether the file is DICOM: by its suffix, or by its magic bytes if it has none."""
    if path.suffix:
        return path.suffix.lower() in DICOM
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _dicom(path: Path) -> Image.Image | Decoded:
    """Decode a DICOM file to RGB, or return the reason why it cannot be read."""
    from contigwas.images import dicom  # importing MONAI takes seconds, and other formats do not need it

    try:
        return dicom.read_dicom(path)
    except dicom.SeveralFrames:
        return Decoded(None, reason="several frames")
    except dicom.NoDecoder as error:
        return Decoded(None, reason="unreadable", codec=str(error))
    except dicom.READ_ERRORS:
        return Decoded(None, reason="unreadable")


def find_fundus(image: Image.Image) -> Field | None:
    """Return the field of view of an RGB image in its pixel coordinates; None if there is none."""
    factor = max(1, round(max(image.size) / SEARCH_SIZE))
    small = image.reduce(factor) if factor > 1 else image
    # the maximum over channels, because a dark retina is red
    found = find_field(np.asarray(small).max(axis=2))
    if found is None:
        return None
    return Field(found.x * factor, found.y * factor, found.radius * factor, found.round)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit and floating-point grey images to 8 bits, because Pillow's conversion clips them."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float64)
    top = max(float(values.max()), 1.0)
    scale = 255.0 if top <= 255 else 65535.0 if top <= 65535 else top
    return Image.fromarray((values.clip(0, scale) * (255.0 / scale)).astype(np.uint8))


def _field(image: Image.Image, field: Field | None) -> tuple[tuple[int, int, int, int], bool]:
    """Return left, top, right, bottom of the square around the field (or the whole image), and whether it is round."""
    width, height = image.size
    longer_side = max(width, height)
    fills = field is not None and width == height and abs(2 * field.radius - longer_side) < 0.06 * longer_side
    if field is None or fills:
        # do not crop a field that already fills its frame: the search would only add jitter
        is_round = field is not None and field.round
        field = Field(width / 2, height / 2, longer_side / 2, is_round)
    left, top, right, bottom = (round(edge) for edge in field.box)
    return (left, top, max(right, left + 1), max(bottom, top + 1)), field.round


def _resize(image: Image.Image, field: tuple[int, int, int, int], size: int) -> Image.Image:
    return image.crop(field).resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)


def _field_mask(box: Box, size: int, is_round: bool) -> np.ndarray:
    """Return the pixels inside the photograph and its field for a square of `size` pixels: bool (size, size)."""
    at = (np.arange(size) + 0.5) / size
    left, top, right, bottom = box
    x, y = left + at * (right - left), top + at * (bottom - top)
    inside = ((y >= 0) & (y < 1))[:, None] & ((x >= 0) & (x < 1))[None, :]
    if is_round:
        inside &= (at[:, None] - 0.5) ** 2 + (at[None, :] - 0.5) ** 2 <= 0.48**2
    return inside
