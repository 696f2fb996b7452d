"""What a reader of images gives: pixels and the figures by which the unusable are reported, the same in 2-D and 3-D."""

from dataclasses import dataclass

import numpy as np

BLACK = 10  # grey levels of 255: an image whose brightest hundredth lies below shows nothing


@dataclass(frozen=True)
class Decoded:
    """Pixels uint8 (size, size, 3), of a volume (size, size, size, 1); None where the file gave none; and figures.

    brightness: mean grey level (of 255); contrast: SD of the grey levels; sharpness: variance of the Laplacian; all
    inside the field of view, or where a volume is not 0. reason: empty, or `missing`, `unreadable`, `several frames`,
    `several volumes`, `flat`, `black`, `blank`. codec: the name of the compression where only its decoder is missing.
    """

    pixels: np.ndarray | None
    brightness: float = float("nan")
    contrast: float = float("nan")
    sharpness: float = float("nan")
    reason: str = ""
    codec: str = ""


def measure(pixels: np.ndarray, grey: np.ndarray, inside: np.ndarray, min_sd: float) -> Decoded:
    """Pixels with the figures of `grey` (float, two or three sizes) where `inside` (bool, the same sizes) holds.

    The Laplacian is the difference to the four or six neighbours, taken where they are inside too.
    """
    values = grey[inside]
    if not values.size:
        return Decoded(pixels, 0.0, 0.0, 0.0, "black")
    core = (slice(1, -1),) * grey.ndim
    laplacian = 2 * grey.ndim * grey[core]
    whole = inside[core].copy()
    for axis in range(grey.ndim):
        for side in (slice(None, -2), slice(2, None)):
            neighbour = (*core[:axis], side, *core[axis + 1 :])
            laplacian -= grey[neighbour]
            whole &= inside[neighbour]
    contrast = float(values.std())
    sharpness = float(laplacian[whole].var()) if whole.any() else 0.0
    reason = "black" if np.percentile(values, 99) < BLACK else "blank" if contrast < min_sd else ""
    return Decoded(pixels, float(values.mean()), contrast, sharpness, reason)
