"""Figures as data URIs that are small: WebP, without loss unless that is large."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from contigwas.runtime.atomic_files import PathLike

MOST = 16_383  # pixels of a side, which is all that WebP allows
WORTH = 0.6  # with loss where that needs less than this share of the bytes: photographs and shades


@dataclass(frozen=True)
class Picture:
    """A figure: its data URI, and its size in pixels."""

    uri: str
    width: int
    height: int


def picture(path: PathLike) -> Picture:
    """A PNG of the run, compressed. What the file says beside its pixels is left behind; a larger one is shrunk."""
    with Image.open(path) as opened:
        whole = opened.convert("RGBA")
    image = Image.new("RGB", whole.size, "white")
    image.paste(whole, mask=whole.getchannel("A"))
    image.thumbnail((MOST, MOST))  # no more than the whole size, which most have
    exact, lossy = _webp(image, lossless=True, quality=40), _webp(image, quality=88)
    best = lossy if len(lossy) < WORTH * len(exact) else exact
    return Picture(f"data:image/webp;base64,{base64.b64encode(best).decode()}", *image.size)


def _webp(image: Image.Image, **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", method=3, **settings)
    return buffer.getvalue()
