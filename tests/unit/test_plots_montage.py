"""The montage: kept images only, drawn by the seed."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from contigwas.plots.montage import GAP, MIN_TILE, montage
from contigwas.runtime.errors import UserError


@pytest.fixture
def images(tmp_path):
    """Twenty images of one colour each, the image's number; rows 5 to 9 are dropped, one row has no image."""
    values = np.broadcast_to(np.arange(20, dtype=np.uint8)[:, None, None, None], (20, 8, 8, 3))
    np.save(tmp_path / "images.npy", values)
    table = pd.DataFrame({"row": [*range(20), -1], "kept": True, "iid": "1000001"})
    table.loc[5:9, "kept"] = False
    table.loc[20, "kept"] = False
    table.to_parquet(tmp_path / "images.parquet")
    return tmp_path


def shown(images, rows=2, columns=3, seed=1):
    montage(images / "images.npy", images / "images.parquet", [images / "m.png"], rows, columns, seed)
    pixels = np.array(Image.open(images / "m.png"))
    step = MIN_TILE + GAP
    assert pixels.shape[1] == columns * step + GAP
    values = [pixels[GAP + step * (n // columns) + 5, GAP + step * (n % columns) + 5, 0] for n in range(rows * columns)]
    return [int(value) for value in values]


def test_kept_images_once_each(images):
    first = shown(images)
    assert len(set(first)) == 6
    assert set(first) <= {*range(5), *range(10, 20)}
    assert shown(images) == first
    assert shown(images, seed=2) != first


def test_fewer_images_than_places(images):
    values = shown(images, rows=3, columns=6)
    assert sorted(values[:15]) == [*range(5), *range(10, 20)]
    assert values[15:] == [255] * 3


def test_volumes_show_their_middle_slice_from_above(tmp_path):
    volumes = np.zeros((2, 6, 6, 6, 1), np.uint8)
    volumes[:, 3, 4:, :2] = 200  # anterior left of the middle slice
    volumes[:, 2] = 90
    np.save(tmp_path / "images.npy", volumes)
    pd.DataFrame({"row": [0, 1], "kept": True}).to_parquet(tmp_path / "images.parquet")
    montage(tmp_path / "images.npy", tmp_path / "images.parquet", [tmp_path / "m.png"], 1, 2)
    tile = np.array(Image.open(tmp_path / "m.png"))[GAP : GAP + MIN_TILE, GAP : GAP + MIN_TILE]
    expected = np.zeros((MIN_TILE, MIN_TILE, 3), np.uint8)
    expected[: MIN_TILE // 3, : MIN_TILE // 3] = 200
    assert np.array_equal(tile, expected)


def test_bad_input(images):
    arguments = (images / "images.npy", images / "images.parquet", [images / "m.png"])
    with pytest.raises(UserError, match="0 x 3"):
        montage(*arguments, rows=0, columns=3)
    with pytest.raises(UserError, match="does not exist"):
        montage(images / "none.npy", *arguments[1:])
    np.save(images / "images.npy", np.zeros((3, 8, 8, 3), np.uint8))
    with pytest.raises(UserError, match="has images that are not in"):
        montage(*arguments)
    pd.DataFrame({"row": [0], "kept": [False]}).to_parquet(images / "images.parquet")
    with pytest.raises(UserError, match="has no kept image"):
        montage(*arguments)
    assert not (images / "m.png").exists()
