"""Photographs: field of view, sizes, order, and exclusion of unusable images with a reason."""

import logging
import stat

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from contigwas.images.fundus import find_field
from contigwas.images.photograph import find_fundus, read_photograph
from contigwas.images.store import write_images
from contigwas.runtime.errors import UserError

SETTINGS = {"size": 32, "crop": "fundus", "qc": {"min_sd": 4.0, "darkest": 0.0, "brightest": 0.0}}


def disc(height, width, x, y, radius, seed=0, rim=1.0):
    """A textured disc on black; brightness falls to `rim` of the centre's at its edge."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:height, :width] + 0.5
    distance = np.hypot(xx - x, yy - y) / radius
    grey = (150 - (1 - rim) * 150 * distance**2 + rng.normal(0, 10, (height, width))) * (distance <= 1)
    return np.stack([grey, 0.6 * grey, 0.3 * grey], axis=2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("x", "y", "radius", "rim"),
    [(150, 100, 90, 1.0), (140, 100, 120, 1.0), (150, 70, 110, 0.25), (150, 130, 120, 0.5), (40, 100, 95, 1.0)],
    ids=["whole", "cut top and bottom", "cut at the top, dark rim", "cut below", "cut at the left"],
)
def test_field_of_view_is_found(x, y, radius, rim):
    found = find_field(disc(200, 300, x, y, radius, rim=rim).max(axis=2))
    assert found.round
    assert (found.x, found.y, found.radius) == pytest.approx((x, y, radius), abs=0.03 * radius)


def test_label_in_a_corner_does_not_move_the_field():
    picture = disc(200, 300, 150, 100, 90)
    picture[:12, :50] = 255
    found = find_field(picture.max(axis=2))
    assert (found.x, found.y, found.radius) == pytest.approx((150, 100, 90), abs=2)


def test_without_a_dark_surround_there_is_no_field():
    assert find_field(np.full((50, 60), 120.0)) is None
    assert find_field(np.zeros((50, 60))) is None


def test_crop_is_the_square_around_the_field_padded_with_black(tmp_path):
    Image.fromarray(disc(200, 300, 150, 100, 130)).save(tmp_path / "a.png")
    pixels = read_photograph(tmp_path / "a.png", 64, "fundus", 4.0).pixels
    assert pixels.shape == (64, 64, 3)
    assert pixels[:6].max() == 0 and pixels[-6:].max() == 0  # 30 of 260 pixels are cut on either side
    assert pixels[32, 2:62, 0].min() > 100
    assert pixels[10:54].reshape(-1, 3).mean(axis=0)[0] > 100


def test_resizing_is_antialiased(tmp_path):
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    Image.fromarray(stripes).save(tmp_path / "a.png")
    pixels = read_photograph(tmp_path / "a.png", 32, "none", 0.0).pixels
    assert np.abs(pixels[:, 2:-2].astype(float) - 100).max() <= 3


def test_a_field_that_fills_its_frame_is_not_cropped(tmp_path):
    picture = disc(64, 64, 32, 32, 31)
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert np.array_equal(read_photograph(tmp_path / "a.png", 64, "fundus", 4.0).pixels, picture)


def test_no_crop_keeps_the_aspect(tmp_path):
    Image.fromarray(np.full((100, 200, 3), 90, dtype=np.uint8)).save(tmp_path / "a.png")
    pixels = read_photograph(tmp_path / "a.png", 40, "none", 0.0).pixels
    assert pixels[:9].max() == 0 and np.abs(pixels[11:29].astype(int) - 90).max() <= 1


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    pixels = read_photograph(tmp_path / "a.png", 64, "none", 0.0).pixels
    assert np.abs(pixels[..., 0] - values / 257).max() <= 1


def study(folder, kinds):
    """Write one image per kind and the table, and return its path."""
    rows = []
    for number, kind in enumerate(kinds):
        name = f"{number:03d}.png"
        picture = disc(40, 40, 20, 20, 19, seed=number) // 2 + (number if kind == "good" else 0)
        if kind == "black":
            picture[:] = 0
        if kind == "blank":
            picture[:] = 128
        if kind != "missing":
            Image.fromarray(picture.astype(np.uint8)).save(folder / name)
        if kind == "truncated":
            whole = (folder / name).read_bytes()
            (folder / name).write_bytes(whole[: len(whole) // 2])
        if kind == "text":
            (folder / name).write_text("not an image")
        rows.append((str(1000001 + number // 2), ("left", "right")[number % 2], 0, name))
    pd.DataFrame(rows, columns=["iid", "eye", "visit", "path"]).to_csv(folder / "images.tsv", sep="\t", index=False)
    return folder / "images.tsv"


def run(folder, table, cohort=None, settings=SETTINGS):
    private = folder / "private" / "images.tsv"
    write_images(table, cohort, settings, folder / "images.npy", folder / "images.parquet", private)
    return np.load(folder / "images.npy", mmap_mode="r"), pd.read_parquet(folder / "images.parquet"), private


def test_unusable_images_are_dropped_counted_and_listed_privately(tmp_path, caplog):
    kinds = ["good", "black", "truncated", "good", "missing", "blank", "text", "good"]
    with caplog.at_level(logging.INFO):
        pixels, images, private = run(tmp_path, study(tmp_path, kinds))
    assert images["reason"].tolist() == ["", "black", "unreadable", "", "missing", "blank", "unreadable", ""]
    assert images["kept"].tolist() == [kind == "good" for kind in kinds]
    assert images["row"].tolist() == [0, 1, -1, 2, -1, 3, -1, 4]
    assert pixels.shape == (5, 32, 32, 3) and pixels.dtype == np.uint8
    for row, source in images.loc[images["kept"], ["row", "source"]].itertuples(index=False):
        assert np.array_equal(pixels[row], read_photograph(tmp_path / source, 32, "fundus", 4.0).pixels)
    assert pd.read_csv(private, sep="\t")["reason"].tolist() == [
        "black",
        "unreadable",
        "missing",
        "blank",
        "unreadable",
    ]
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert "2 unreadable" in caplog.text and "100000" not in caplog.text


def test_order_is_that_of_the_table_with_more_images_than_decoded_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr("contigwas.images.store.AHEAD", 4)
    pixels, images, _ = run(tmp_path, study(tmp_path, ["good"] * 22))
    assert images["row"].tolist() == list(range(22))
    expected = [read_photograph(tmp_path / source, 32, "fundus", 4.0).pixels for source in images["source"]]
    assert np.array_equal(pixels, np.stack(expected))


def test_darkest_and_brightest_shares_are_dropped(tmp_path):
    qc = {"min_sd": 4.0, "darkest": 0.2, "brightest": 0.1}
    _, images, _ = run(tmp_path, study(tmp_path, ["good"] * 10 + ["black"]), settings={**SETTINGS, "qc": qc})
    order = images.iloc[:10].sort_values("brightness")["reason"].tolist()
    assert order == ["darkest"] * 2 + [""] * 7 + ["brightest"]
    assert images["reason"].iloc[10] == "black"


def write_cohort(folder, iids, excluded):
    cohort = pd.DataFrame({"fid": iids, "iid": iids, "sex": 1, "family": iids, "fold": 0, "gwas_included": 1})
    cohort.assign(exclusion=excluded).to_csv(folder / "cohort.tsv", sep="\t", index=False)
    return folder / "cohort.tsv"


def test_samples_outside_the_cohort_are_excluded(tmp_path):
    cohort = write_cohort(tmp_path, ["1000001", "1000003"], ["", "call rate"])
    _, images, _ = run(tmp_path, study(tmp_path, ["good"] * 6), cohort=cohort)
    assert images["iid"].tolist() == ["1000001", "1000001"]


def test_no_common_sample_is_an_error_with_counts(tmp_path):
    cohort = write_cohort(tmp_path, ["HG00096"], [""])
    with pytest.raises(UserError, match=r"3 samples, IDs of 7 digits.*HG and 5 digits"):
        run(tmp_path, study(tmp_path, ["good"] * 6), cohort=cohort)


def test_no_usable_image_is_an_error_without_outputs(tmp_path):
    with pytest.raises(UserError, match="none of the 2 images"):
        run(tmp_path, study(tmp_path, ["black", "text"]))
    assert not (tmp_path / "images.npy").exists() and not (tmp_path / "images.parquet").exists()


def test_one_file_for_two_samples_is_refused(tmp_path):
    table = study(tmp_path, ["good", "good", "good"])
    table.write_text(table.read_text().replace("002.png", "000.png"))
    with pytest.raises(UserError, match="1 image files more than once"):
        run(tmp_path, table)


def test_further_columns_are_kept_as_numbers_or_text(tmp_path):
    table = study(tmp_path, ["good", "black", "good", "good"])
    lines = table.read_text().splitlines()
    extra = ["camera\tAge", "007\t61.5", "B\tNA", "A\t40", "007\t52"]
    table.write_text("\n".join(f"{more}\t{line}" for line, more in zip(lines, extra, strict=True)) + "\n")
    _, images, _ = run(tmp_path, table, write_cohort(tmp_path, ["1000001", "1000002"], ["", ""]))
    assert (
        images.columns.tolist()[-2:] == ["camera", "Age"] and images.columns[0] == "row" and len(images.columns) == 12
    )
    assert images["camera"].tolist() == ["007", "B", "A", "007"]
    assert images["Age"].dtype == float and images["Age"].tolist()[2:] == [40, 52] and np.isnan(images["Age"][1])


@pytest.mark.parametrize("name", ["row", "kept", "reason", "source", "brightness"])
def test_a_column_with_a_reserved_name_is_refused(tmp_path, name):
    table = study(tmp_path, ["good", "good"])
    table.write_text(table.read_text().replace("visit", name, 1))
    with pytest.raises(UserError, match=f"has a column {name}, which .* rename it"):
        run(tmp_path, table)


@pytest.mark.parametrize(
    ("names", "dimensions", "sentence"),
    [
        (["a.nii.gz", "b.NII", "c.jpg"], 2, "2 volumes .* and 1 photographs: keep one kind"),
        (["a.nii.gz", "b.png", "c.dcm"], 3, "1 volumes .* and 2 photographs: keep one kind"),
        (["a.png", "b.dcm"], 3, "2 files that are not volumes .* images.dimensions is 3: write 2"),
        (["a.nii", "b.nii.gz"], 2, "2 volumes .* images.dimensions is 2: write 3"),
    ],
)
def test_photographs_and_volumes_do_not_mix(tmp_path, names, dimensions, sentence):
    rows = pd.DataFrame({"iid": [str(1000001 + row) for row in range(len(names))], "path": names})
    rows.to_csv(tmp_path / "images.tsv", sep="\t", index=False)
    with pytest.raises(UserError, match=sentence):
        run(tmp_path, tmp_path / "images.tsv", settings={**SETTINGS, "dimensions": dimensions})
    assert not (tmp_path / "images.npy").exists()


def test_real_photographs_are_cut_at_top_and_bottom(shared_data):
    photographs = sorted((shared_data / "images" / "idrid" / "grading").glob("*.jpg"))[::50]
    assert photographs
    for path in photographs:
        with Image.open(path) as image:
            field = find_fundus(image.convert("RGB"))
        assert field.round and field.radius == pytest.approx(289, abs=4)  # 480 pixels high: the field is wider
        assert field.y == pytest.approx(240, abs=4)
