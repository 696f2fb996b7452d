"""The table of masks: who is in it, what is left out, and each mistake in one sentence that names nobody."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from contigwas.downstream.segmentation.labelled_images import read_labelled, write_labelled
from contigwas.runtime.errors import UserError
from tests.segmentation_files import TASK, outputs, redraw, write_masks
from tests.unit.pretraining import write_study

IIDS = [f"S{number:03d}" for number in range(12)]


@pytest.fixture
def table(tmp_path):
    return write_masks(tmp_path / "in", IIDS)


def decode(table, cohort=None, **changes):
    places = outputs(table.parent.parent)
    write_labelled("tumour", TASK | {"table": str(table)} | changes, cohort, *places)
    return read_labelled(*places[:3])


def refused(table, cohort=None, **changes) -> str:
    with pytest.raises(UserError) as reported:
        decode(table, cohort, **changes)
    assert not [one for one in IIDS if one in str(reported.value)]
    assert not any(path.exists() for path in outputs(table.parent.parent))
    return str(reported.value)


def test_images_and_masks_are_decoded_in_the_tables_order(table):
    found = decode(table)
    assert found.samples["iid"].tolist() == IIDS
    assert found.images.shape == (12, 32, 32, 3)
    for number in range(12):
        assert (found.images[number] == np.asarray(Image.open(table.parent / f"P{number:03d}.png"))).all()
        mask = np.asarray(Image.open(table.parent / f"P{number:03d}_mask.png")) > 0
        assert (found.masks[number] == mask).all()
    assert outputs(table.parent.parent)[0].parent.stat().st_mode & 0o777 == 0o700
    assert (table.parent.parent / "private").stat().st_mode & 0o777 == 0o700


def test_samples_of_the_cohort_bring_their_family(tmp_path):
    cohort = write_study(tmp_path)["cohort"]
    samples = pd.read_csv(cohort, sep="\t", dtype=str)
    table = write_masks(tmp_path / "in", [*samples["iid"][-5:], "9", "10"])
    found = decode(table, cohort)
    assert found.samples["iid"].tolist() == samples["iid"][-5:-1].tolist(), (
        "the last one is excluded, two are strangers"
    )
    assert found.samples["family"].tolist() == samples["family"][-5:-1].tolist()


def test_who_withdrew_is_counted_and_named_nowhere(table, caplog):
    caplog.set_level("INFO")
    rows = pd.read_csv(table, sep="\t")
    rows.loc[3, "iid"] = "S002"
    rows.to_csv(table, sep="\t", index=False)
    (table.parent / "P007_mask.png").unlink()
    (table.parent / "withdrawn.txt").write_text("S002\nS007\nS999\n")
    places = outputs(table.parent.parent)
    settings = TASK | {"table": str(table)}
    write_labelled("tumour", settings, None, *places, withdrawn=table.parent / "withdrawn.txt")
    found = read_labelled(*places[:3])
    assert found.samples["iid"].tolist() == [one for one in IIDS if one not in ("S002", "S003", "S007")]
    assert len(found.images) == len(found.masks) == 9
    assert (found.images[2] == np.asarray(Image.open(table.parent / "P004.png"))).all()
    assert not len(pd.read_csv(places[3], sep="\t"))
    assert "3 of 12 labelled images are of 2 participants who withdrew" in caplog.text
    (table.parent / "withdrawn.txt").write_text("\n".join(IIDS))
    with pytest.raises(UserError, match="everyone whom .* names is in samples.withdrawn"):
        write_labelled("tumour", settings, None, *places, withdrawn=table.parent / "withdrawn.txt")


def test_an_image_without_a_mask_is_counted_and_named_in_private(table, caplog):
    caplog.set_level("INFO")
    rows = pd.read_csv(table, sep="\t")
    rows.loc[3, "mask"] = "NA"
    rows.to_csv(table, sep="\t", index=False)
    (table.parent / "P005_mask.png").unlink()
    (table.parent / "P007.png").write_bytes(b"no picture")
    found = decode(table)
    assert found.samples["iid"].tolist() == [one for one in IIDS if one not in ("S003", "S005", "S007")]
    private = pd.read_csv(outputs(table.parent.parent)[3], sep="\t")
    assert dict(zip(private["iid"], private["reason"], strict=True)) == {
        "S003": "no mask file",
        "S005": "no mask file",
        "S007": "unreadable",
    }
    assert "2 of 12 labelled images are left out: no mask file" in caplog.text
    assert "S003" not in caplog.text


def test_masks_of_another_size_than_their_image(table):
    for number in (2, 4):
        redraw(table.parent / f"P{number:03d}_mask.png", lambda mask: mask[:-3])
    said = refused(table)
    assert "masks of 2 images (names of P and 3 digits)" in said
    assert "another size than their image" in said


def test_values_that_are_no_label(table):
    redraw(table.parent / "P002_mask.png", lambda mask: np.where(mask > 0, 7, 0).astype(np.uint8))
    said = refused(table, labels={"tumour": 255})
    assert "masks of 1 images" in said
    assert "no label (7)" in said
    assert "labels are 0 and 255" in said


def test_a_photograph_in_place_of_a_mask(table):
    redraw(table.parent / "P001_mask.png", lambda mask: np.arange(mask.size).reshape(mask.shape).astype(np.uint8))
    assert "no label (1, 2, 3, 4, 5, …)" in refused(table)


def test_coloured_masks(table):
    redraw(table.parent / "P001_mask.png", lambda mask: np.stack([mask, mask // 2, mask], axis=2))
    assert "are coloured" in refused(table)


def test_masks_that_mark_nothing(table):
    for number in range(12):
        redraw(table.parent / f"P{number:03d}_mask.png", lambda mask: 0 * mask)
    assert "none of the 12 masks" in refused(table)


def test_a_single_class(table):
    for number in range(12):
        redraw(table.parent / f"P{number:03d}_mask.png", lambda mask: 0 * mask + 255)
    assert "every pixel of the 12 masks" in refused(table)


def test_a_class_that_stands_nowhere(table):
    said = refused(table, labels={"tumour": 255, "edema": 2})
    assert "the class edema stands in none of the 12 masks" in said


def test_masks_that_cannot_be_read(table):
    for number in (0, 1, 2):
        (table.parent / f"P{number:03d}_mask.png").write_bytes(b"\x89PNG nothing")
    assert "masks of 3 images" in refused(table)


def test_nobody_of_the_table_is_in_the_cohort(table, tmp_path):
    said = refused(table, write_study(tmp_path)["cohort"])
    assert "no sample is in both the table of masks" in said
    assert "7 digits" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.drop(columns="iid"), "no column iid"),
        (lambda rows: rows.rename(columns={"mask": "lesion"}), "no column mask"),
        (lambda rows: rows.assign(image=rows["image"].iloc[0]), "names 11 image files more than once"),
        (lambda rows: rows.assign(iid=["NA", *rows["iid"][1:]]), "rows without a sample"),
        (lambda rows: rows.assign(mask="elsewhere.png"), "none of the 12 images"),
    ],
)
def test_tables_that_cannot_be_used(table, change, said):
    change(pd.read_csv(table, sep="\t")).to_csv(table, sep="\t", index=False)
    assert said in refused(table)
