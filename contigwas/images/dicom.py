"""Read one photograph from a DICOM file as 8-bit RGB."""

import struct
from pathlib import Path

import numpy as np
from monai.data import PydicomReader
from PIL import Image
from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, get_decoder
from pydicom.uid import UID

READ_ERRORS = (InvalidDicomError, OSError, ValueError, AttributeError, KeyError, TypeError, RuntimeError, struct.error)


class NoDecoder(Exception):
    """No decoder of the compression is installed; the message is its name."""


class SeveralFrames(Exception):
    """The file holds more than one image."""


def read_dicom(path: Path) -> Image.Image:
    """Read the image of a DICOM file as RGB.

    Grey levels are scaled by the window of the file (linear, PS3.3 C.11.2.1.2), otherwise by the range of the stored
    bits. MONOCHROME1, in which high values are dark, is inverted. Raises NoDecoder, SeveralFrames, or one of
    `READ_ERRORS` for a damaged file or a file without an image.
    """
    reader = PydicomReader(swap_ij=False)
    dataset = reader.read(path)
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise SeveralFrames
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed and not _has_decoder(syntax):
        raise NoDecoder(f"{syntax.name} ({syntax})")
    # photographs have no position in the body; without one, the reader would log a warning for each file
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    values, _ = reader.get_data(dataset)
    kind = dataset.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        values = apply_color_lut(dataset.pixel_array, dataset)
        return Image.fromarray(_scale(values, 0, np.iinfo(values.dtype).max))
    if values.ndim == 3:
        return Image.fromarray(_scale(values, 0, 2**dataset.BitsStored - 1)).convert("RGB")
    levels = _scale(values, *_range(dataset))
    return Image.fromarray(255 - levels if kind == "MONOCHROME1" else levels).convert("RGB")


def _has_decoder(syntax: UID) -> bool:
    """Return whether the pixels of a transfer syntax can be decoded."""
    try:
        return get_decoder(syntax).is_available
    except NotImplementedError:  # pydicom has no decoder for this syntax
        return syntax.is_deflated  # a deflated file needs no decoder: pydicom inflates it with zlib


def _range(dataset: Dataset) -> tuple[float, float]:
    """Return the grey values of black and white: those of the window, otherwise of the stored bits."""
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        # a file may have several windows: the first is the default
        centre, width = (float(np.atleast_1d(dataset[name].value)[0]) for name in ("WindowCenter", "WindowWidth"))
        return centre - width / 2, centre - 1 + width / 2
    low, high = 0, 2**dataset.BitsStored - 1
    if dataset.PixelRepresentation:
        low, high = -(2 ** (dataset.BitsStored - 1)), 2 ** (dataset.BitsStored - 1) - 1
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    return slope * low + intercept, slope * high + intercept


def _scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return uint8 of the same shape: 0 at `low`, 255 at `high`."""
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        return values
    share = (values.astype(np.float32) - low) / max(high - low, 1)
    return np.rint(255 * share.clip(0, 1)).astype(np.uint8)
