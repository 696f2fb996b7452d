"""The array of images and its table must be from the same run."""

import numpy as np
import pandas as pd
import pytest

from contigwas.images.array import load_photographs
from contigwas.runtime.errors import UserError


@pytest.fixture
def images(tmp_path):
    """Six images, the number in every pixel; three samples with two each."""
    pixels = np.broadcast_to(np.arange(6, dtype=np.uint8)[:, None, None, None], (6, 4, 4, 3))
    np.save(tmp_path / "images.npy", pixels)
    iids = ["1000003", "1000001", "1000002", "1000001", "1000003", "1000002"]
    return tmp_path / "images.npy", pd.DataFrame({"row": [5, 4, 3, 2, 1, 0], "iid": iids})


def test_the_pixels_of_each_sample(images):
    loaded = load_photographs(*images, pd.Index(["1000002", "1000003"]))
    assert loaded.gather(loaded.first)[:, 0, 0, 0].tolist() == [3, 5]
    assert loaded.gather(loaded.first + 1)[:, 0, 0, 0].tolist() == [0, 1]
    assert loaded.count.tolist() == [2, 2]


@pytest.mark.parametrize("row", [6, -1])
def test_rows_outside_the_array_are_an_error(images, row):
    npy, table = images
    table.loc[3, "row"] = row
    with pytest.raises(
        UserError, match=r"holds 6 images, but 1 of the 6 kept images .* run the images stage again"
    ) as reported:
        load_photographs(npy, table, pd.Index(["1000002"]))
    assert "100000" not in str(reported.value)


def test_a_truncated_array_is_an_error(images):
    npy, table = images
    npy.write_bytes(npy.read_bytes()[:-48])
    with pytest.raises(UserError, match=r"images\.npy is not a complete array"):
        load_photographs(npy, table, pd.Index(["1000002"]))
