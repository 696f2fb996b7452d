"""Figures as data URIs that are small: a palette where a figure has few colours, else WebP."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from contigwas.files import PathLike

COLOURS = 96
LOSS = 1.0  # grey levels of 255, on average, that a palette may be off before WebP is taken


@dataclass(frozen=True)
class Picture:
    """A figure: its data URI, and its size in pixels."""

    uri: str
    width: int
    height: int


def picture(path: PathLike) -> Picture:
    """A PNG of the run, compressed."""
    with Image.open(path) as opened:
        image = Image.new("RGB", opened.size, "white")
        whole = opened.convert("RGBA")
        image.paste(whole, mask=whole.getchannel("A"))
    few = image.quantize(COLOURS, dither=Image.Dither.NONE)
    off = np.abs(np.asarray(few.convert("RGB"), dtype=np.int16) - np.asarray(image, dtype=np.int16)).mean()
    buffer = io.BytesIO()
    if off <= LOSS:
        kind = "png"
        few.save(buffer, format="PNG", optimize=True)
    else:
        kind = "webp"
        image.save(buffer, format="WEBP", quality=86, method=4)
    return Picture(f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}", *image.size)
