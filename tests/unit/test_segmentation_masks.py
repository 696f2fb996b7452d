"""Masks follow their images through crop, size and orientation; which values are which class."""

import nibabel as nib
import numpy as np
import pytest
from PIL import Image, ImageDraw

from contigwas.downstream.segmentation.masks import ELSEWHERE, OTHER_SIZE, UNREADABLE, Labels, read_mask, reader

SETTINGS = {"size": 64, "crop": "fundus", "dimensions": 2, "min_sd": 1.0}
ANY = Labels(("disc",), ("mask",), None)


def fundus(width: int, height: int, radius: int, centre: tuple[int, int], spot: tuple[int, int, int]):
    """A photograph with a dark surround and a bright spot (x, y, radius), and the spot's mask."""
    image, mask = Image.new("RGB", (width, height)), Image.new("L", (width, height))
    x, y = centre
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=(150, 70, 30))
    for drawn, fill in ((image, (255, 240, 200)), (mask, 255)):
        at_x, at_y, size = spot
        ImageDraw.Draw(drawn).ellipse((at_x - size, at_y - size, at_x + size, at_y + size), fill=fill)
    return image, mask


@pytest.mark.parametrize(
    ("frame", "radius", "centre"),
    [((400, 300), 140, (200, 150)), ((400, 250), 150, (210, 120)), ((1600, 1200), 560, (800, 600))],
)
def test_the_mask_lies_on_what_it_marks(tmp_path, frame, radius, centre):
    """Also where the frame cuts the field, and where a large JPEG is decoded at a fraction of its size."""
    image, mask = fundus(*frame, radius, centre, (centre[0] + radius // 3, centre[1] - radius // 4, radius // 6))
    image.save(tmp_path / "a.jpg", quality=95)
    mask.save(tmp_path / "m.png")
    pair = reader(SETTINGS, ANY)(tmp_path / "a.jpg", [tmp_path / "m.png"])
    bright = pair.image.pixels[..., 2] > 115
    assert 10 < (pair.mask == 1).sum() < 200
    overlap = 2 * (bright & (pair.mask == 1)).sum() / (bright.sum() + (pair.mask == 1).sum())
    assert overlap > 0.9


def test_a_photograph_that_is_turned_by_its_header_has_its_mask_turned_too(tmp_path):
    image, mask = fundus(400, 300, 140, (200, 150), (260, 100, 20))
    for drawn, name in ((image, "a.jpg"), (mask, "m.png")):
        exif = Image.Exif()
        exif[0x0112] = 6
        drawn.save(tmp_path / name, exif=exif)
    pair = reader(SETTINGS, ANY)(tmp_path / "a.jpg", [tmp_path / "m.png"])
    assert pair.problem == ""
    bright = pair.image.pixels[..., 2] > 115
    assert 2 * (bright & (pair.mask == 1)).sum() / (bright.sum() + (pair.mask == 1).sum()) > 0.9


def test_masks_keep_their_values_when_they_shrink(tmp_path):
    values = np.random.default_rng(0).integers(0, 3, (150, 150)).astype(np.uint8)
    Image.fromarray(np.full((150, 150, 3), 90, np.uint8) + 10 * values[..., None]).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "m.png")
    labels = Labels(("edge", "core"), ("mask",), ((1,), (2,)))
    pair = reader(SETTINGS | {"crop": "none", "size": 50}, labels)(tmp_path / "a.png", [tmp_path / "m.png"])
    assert (pair.mask == values[1::3, 1::3]).all()
    assert pair.class_pixels.tolist() == np.bincount(values.ravel()).tolist()


def test_values_become_classes():
    labels = Labels.of({"mask": "mask", "labels": {"edge": 4, "core": [1, 2]}}, "tumour")
    numbers, odd = labels.numbered([np.array([[0, 1, 2], [4, 3, 0]])])
    assert numbers.tolist() == [[0, 2, 2], [1, 0, 0]]
    assert odd == [3]
    assert Labels.of({"mask": "mask", "labels": None}, "tumour").classes == ("tumour",)


def test_of_overlapping_columns_the_later_class_counts():
    labels = Labels.of({"mask": {"disc": "d", "cup": "c"}, "labels": None}, "both")
    assert labels.columns == ("d", "c")
    numbers, odd = labels.numbered([np.array([[0, 255, 255]]), np.array([[0, 0, 1]])])
    assert numbers.tolist() == [[0, 1, 2]]
    assert not odd


def test_a_mask_of_one_label_with_many_values_is_no_mask():
    photograph = np.arange(60).reshape(6, 10)
    assert len(ANY.numbered([photograph])[1]) == 59


def test_pictures_of_labels_are_read_as_they_are(tmp_path):
    values = np.array([[0, 1], [2, 1]], np.uint8)
    palette = Image.fromarray(values).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0] + [0] * 759)
    palette.putdata(values.ravel().tolist())
    palette.save(tmp_path / "palette.png")
    Image.fromarray(values > 0).save(tmp_path / "bits.png")
    Image.fromarray(values.repeat(3).reshape(2, 2, 3)).save(tmp_path / "grey.png")
    assert read_mask(tmp_path / "palette.png").tolist() == values.tolist()
    assert (read_mask(tmp_path / "bits.png") != 0).tolist() == (values > 0).tolist()
    assert read_mask(tmp_path / "grey.png").tolist() == values.tolist()


@pytest.fixture
def volume(tmp_path):
    """A volume with a bright box, thicker slices, and axes that are neither in order nor in direction canonical."""
    values = np.random.default_rng(2).normal(60, 5, (40, 24, 36)).astype(np.float32)
    mask = np.zeros(values.shape, np.uint8)
    mask[5:15, 12:20, 20:32] = 1
    affine = np.array([[0, 0, -1, 30], [1.0, 0, 0, 5], [0, 2.0, 0, -9], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(values + 80 * mask, affine), tmp_path / "v.nii.gz")
    nib.save(nib.Nifti1Image(mask, affine), tmp_path / "m.nii.gz")
    return tmp_path, mask, affine


def test_the_mask_of_a_volume_lies_on_what_it_marks(volume):
    folder, _, _ = volume
    pair = reader(SETTINGS | {"size": 32, "dimensions": 3}, ANY)(folder / "v.nii.gz", [folder / "m.nii.gz"])
    bright = pair.image.pixels[..., 0] > 150
    assert pair.mask.shape == (32, 32, 32)
    assert 2 * (bright & (pair.mask == 1)).sum() / (bright.sum() + (pair.mask == 1).sum()) > 0.9


def test_masks_that_do_not_fit_their_volume(volume):
    folder, mask, affine = volume
    read = reader(SETTINGS | {"size": 32, "dimensions": 3}, ANY)
    nib.save(nib.Nifti1Image(mask[:-1], affine), folder / "small.nii.gz")
    nib.save(nib.Nifti1Image(mask, affine @ np.diag([1, 1, 1.5, 1])), folder / "moved.nii.gz")
    (folder / "broken.nii.gz").write_bytes(b"no volume")
    for name, problem in (("small", OTHER_SIZE), ("moved", ELSEWHERE), ("broken", UNREADABLE)):
        assert read(folder / "v.nii.gz", [folder / f"{name}.nii.gz"]).problem == problem
