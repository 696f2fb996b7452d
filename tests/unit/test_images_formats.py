"""TIFF and DICOM: the grey levels of the standard, and a reason for unreadable files."""

import logging
import struct

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from contigwas.images.photograph import read_photograph
from contigwas.images.store import write_images

SIZE = 32


def read(path, crop="none"):
    return read_photograph(path, SIZE, crop, 0.0)


def write_dicom(path, values, kind="MONOCHROME2", bits=8, syntax=ExplicitVRLittleEndian, **tags):
    """Write values (height, width) or (height, width, 3), or encoded bytes, as DICOM."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.PhotometricInterpretation = kind
    data.SamplesPerPixel = 1 if values.ndim == 2 else 3
    if values.ndim == 3:
        data.PlanarConfiguration = 0
    data.Rows, data.Columns = values.shape[:2]
    data.BitsAllocated = 8 if bits <= 8 else 16
    data.BitsStored, data.HighBit = bits, bits - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    data.PixelData = values.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def colours(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def ramp(top, dtype):
    """Grey levels from 0 to `top`, row by row."""
    return np.linspace(0, top, SIZE * SIZE).reshape(SIZE, SIZE).astype(dtype)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate"])
def test_an_rgb_tiff_is_read_unchanged(tmp_path, compression):
    Image.fromarray(colours()).save(tmp_path / "a.tif", compression=compression)
    assert np.array_equal(read(tmp_path / "a.tif").pixels, colours())


def test_a_sixteen_bit_tiff_is_scaled(tmp_path):
    values = ramp(65535, np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tiff")
    pixels = read(tmp_path / "a.tiff").pixels
    assert np.abs(pixels - (values / 257)[..., None]).max() <= 1


def test_a_sixteen_bit_rgb_tiff_is_scaled(tmp_path):
    # no writer at hand: a header, eleven tags, the depths of the three channels, the pixels
    values = (colours().astype("<u2") * 257).tobytes()
    depths = 8 + 2 + 11 * 12 + 4
    tags = [(256, 3, 1, SIZE), (257, 3, 1, SIZE), (258, 3, 3, depths), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, depths + 6), (274, 3, 1, 1), (277, 3, 1, 3), (278, 3, 1, SIZE), (279, 4, 1, len(values))]
    tags += [(284, 3, 1, 1)]
    header = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    (tmp_path / "a.tif").write_bytes(header + struct.pack("<I3H", 0, 16, 16, 16) + values)
    assert np.array_equal(read(tmp_path / "a.tif").pixels, colours())


@pytest.mark.parametrize("name", ["a.dcm", "a.DCM", "without_a_suffix"])
def test_an_rgb_dicom_is_read_unchanged(tmp_path, name):
    write_dicom(tmp_path / name, colours(), "RGB")
    assert np.array_equal(read(tmp_path / name).pixels, colours())


def test_a_deflated_dicom(tmp_path):
    write_dicom(tmp_path / "a.dcm", colours(), "RGB", syntax=DeflatedExplicitVRLittleEndian)
    assert np.array_equal(read(tmp_path / "a.dcm").pixels, colours())


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (10, np.uint16), (12, np.uint16), (16, np.uint16)])
def test_monochrome_is_scaled_by_its_bits_and_monochrome1_is_inverted(tmp_path, bits, dtype):
    top = 2**bits - 1
    values = ramp(top, dtype)
    expected = (255 * values.astype(float) / top)[..., None]
    plain = read(write_dicom(tmp_path / "a.dcm", values, bits=bits)).pixels
    assert np.abs(plain - expected).max() <= 0.51
    inverted = read(write_dicom(tmp_path / "b.dcm", values, "MONOCHROME1", bits)).pixels
    assert np.abs(inverted - (255 - expected)).max() <= 0.51


def test_signed_levels_with_a_slope(tmp_path):
    values = (ramp(4095, np.int32) - 2048).astype(np.int16)
    write_dicom(tmp_path / "a.dcm", values, bits=12, RescaleSlope=2, RescaleIntercept=-100)
    pixels = read(tmp_path / "a.dcm").pixels
    assert np.abs(pixels - 255 * (values.astype(float) + 2048)[..., None] / 4095).max() <= 0.51


def test_the_window_of_the_file_is_used(tmp_path):
    values = ramp(4095, np.uint16)
    path = write_dicom(
        tmp_path / "a.dcm",
        values,
        bits=12,
        RescaleSlope=1,
        RescaleIntercept=-1024,
        WindowCenter=[40, 500],
        WindowWidth=[401, 9],
    )
    # the standard's own formula, by pydicom
    expected = pydicom.pixels.apply_windowing(values.astype(float) - 1024, pydicom.dcmread(path))
    low, high = expected.min(), expected.max()
    pixels = read(path).pixels
    assert np.abs(pixels - (255 * (expected - low) / (high - low))[..., None]).max() <= 1
    assert 0.05 < np.mean(pixels == 0) < 0.95 and np.mean(pixels == 255) > 0.05


def test_a_palette_gives_its_colours(tmp_path):
    values = np.random.default_rng(1).integers(0, 4, (SIZE, SIZE), dtype=np.uint8)
    palette = np.random.default_rng(2).integers(0, 256, (4, 3))
    tags = {}
    for channel, name in enumerate(("Red", "Green", "Blue")):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        tags[f"{name}PaletteColorLookupTableData"] = (palette[:, channel] * 257).astype("<u2").tobytes()
    write_dicom(tmp_path / "a.dcm", values, "PALETTE COLOR", **tags)
    assert np.array_equal(read(tmp_path / "a.dcm").pixels, palette[values])


def test_a_dicom_with_a_jpeg_equals_that_jpeg(tmp_path):
    smooth = np.asarray(Image.fromarray(colours()).resize((4, 4)).resize((SIZE, SIZE)))
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    inside = encapsulate([(tmp_path / "a.jpg").read_bytes()])
    write_dicom(tmp_path / "a.dcm", smooth, "YBR_FULL_422", syntax=JPEGBaseline8Bit, PixelData=inside)
    difference = read(tmp_path / "a.dcm").pixels.astype(int) - read(tmp_path / "a.jpg").pixels
    assert np.abs(difference).mean() < 2


def test_dicoms_that_cannot_be_read_are_counted_with_their_transfer_syntax(tmp_path, caplog):
    for number in range(4):
        write_dicom(tmp_path / f"{number}.dcm", colours(number), "RGB")
    for name in ("lossless0", "lossless1"):
        inside = encapsulate([b"\xff\xd8 some bytes \xff\xd9"])
        write_dicom(tmp_path / f"{name}.dcm", colours(), "RGB", syntax=JPEGLosslessSV1, PixelData=inside)
    (tmp_path / "text.dcm").write_text("no DICOM at all")
    (tmp_path / "cut.dcm").write_bytes((tmp_path / "0.dcm").read_bytes()[:-100])
    write_dicom(tmp_path / "frames.dcm", ramp(255, np.uint8), NumberOfFrames=2, PixelData=bytes(2 * SIZE * SIZE))
    names = ["0", "lossless0", "1", "text", "cut", "2", "frames", "lossless1", "3"]
    rows = pd.DataFrame({"iid": [str(1000001 + row) for row in range(9)], "path": [f"{name}.dcm" for name in names]})
    rows.to_csv(tmp_path / "images.tsv", sep="\t", index=False)
    settings = {"size": SIZE, "crop": "none", "qc": {"min_sd": 4.0, "darkest": 0.0, "brightest": 0.0}}
    outputs = tmp_path / "images.npy", tmp_path / "images.parquet", tmp_path / "private" / "dropped.tsv"
    with caplog.at_level(logging.INFO):
        write_images(tmp_path / "images.tsv", None, settings, *outputs)
    reasons = ["", "unreadable", "", "unreadable", "unreadable", "", "several frames", "unreadable", ""]
    assert pd.read_parquet(outputs[1])["reason"].tolist() == reasons
    assert np.array_equal(np.load(outputs[0]), np.stack([colours(number) for number in range(4)]))
    assert "2 DICOM files are compressed as JPEG Lossless" in caplog.text and JPEGLosslessSV1 in caplog.text
    assert "4 unreadable, 1 several frames" in caplog.text and "100000" not in caplog.text
