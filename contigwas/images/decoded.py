"""The result of decoding an image: pixels, quality measures and an exclusion reason, for photographs and volumes."""

from dataclasses import dataclass

import numpy as np

BLACK = 10  # of 255 grey levels: an image whose 99th percentile is lower is black


@dataclass(frozen=True)
class Decoded:
    """Pixels and quality measures of an image.

    Attributes:
        pixels: uint8 (size, size, 3), of a volume (size, size, size, 1); None if the file could not be decoded.
        brightness: mean grey level (of 255) inside the field of view, or of the voxels that are not 0.
        contrast: SD of the same grey levels.
        sharpness: variance of their Laplacian.
        reason: empty, or `missing`, `unreadable`, `several frames`, `several volumes`, `flat`, `black`, `blank`.
        codec: name of the compression if only its decoder is missing.
    """

    pixels: np.ndarray | None
    brightness: float = float("nan")
    contrast: float = float("nan")
    sharpness: float = float("nan")
    reason: str = ""
    codec: str = ""


def measure(pixels: np.ndarray, grey: np.ndarray, inside: np.ndarray, min_sd: float) -> Decoded:
    """Return `pixels` with the measures of `grey` (float, two or three sizes) where `inside` (bool) is true.

    The Laplacian is the sum of differences to the four or six neighbours; it is used where all of them are inside. An
    image whose contrast is below `min_sd` is blank.
    """
    values = grey[inside]
    if not values.size:
        return Decoded(pixels, 0.0, 0.0, 0.0, "black")
    core = (slice(1, -1),) * grey.ndim
    laplacian = 2 * grey.ndim * grey[core]
    interior = inside[core].copy()
    for axis in range(grey.ndim):
        for side in (slice(None, -2), slice(2, None)):
            neighbour = (*core[:axis], side, *core[axis + 1 :])
            laplacian -= grey[neighbour]
            interior &= inside[neighbour]
    contrast = float(values.std())
    sharpness = float(laplacian[interior].var()) if interior.any() else 0.0
    reason = "black" if np.percentile(values, 99) < BLACK else "blank" if contrast < min_sd else ""
    return Decoded(pixels, float(values.mean()), contrast, sharpness, reason)
