"""Figures as small data URIs: lossless WebP, or lossy WebP if that is much smaller."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from contigwas.runtime.atomic_files import PathLike

MAX_SIDE = 16_383  # pixels, the limit of WebP
LOSSY_BELOW = 0.6  # lossy compression if it needs less than this share of the bytes


@dataclass(frozen=True)
class EmbeddedImage:
    """A figure: its data URI, and its size in pixels."""

    uri: str
    width: int
    height: int


def embed_image(path: PathLike) -> EmbeddedImage:
    """Return a PNG file of the run, compressed and without its metadata; images larger than the limit are reduced."""
    with Image.open(path) as opened:
        original = opened.convert("RGBA")
    image = Image.new("RGB", original.size, "white")
    image.paste(original, mask=original.getchannel("A"))
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    exact, lossy = _webp(image, lossless=True, quality=40), _webp(image, quality=88)
    best = lossy if len(lossy) < LOSSY_BELOW * len(exact) else exact
    return EmbeddedImage(f"data:image/webp;base64,{base64.b64encode(best).decode()}", *image.size)


def _webp(image: Image.Image, **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", method=3, **settings)
    return buffer.getvalue()
