"""The simulated photographs as files: who has them, which are unusable, and what their names give away."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from contigwas.runtime.errors import UserError
from contigwas.simulate.images import simulate_images
from contigwas.simulate.settings import LATENTS

SETTINGS = {"missing_rate": 0.1, "unusable_images": 7, "image_size": 64, "nuisance": 1.0}


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    path = tmp_path_factory.mktemp("latents") / "latents.tsv"
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((80, 6)), columns=list(LATENTS))
    table.insert(0, "iid", [str(1000001 + row) for row in range(80)])
    table.insert(0, "fid", table["iid"])
    table.to_csv(path, sep="\t", index=False)
    return path


@pytest.fixture(scope="module")
def folder(latents, tmp_path_factory):
    path = tmp_path_factory.mktemp("photographs")
    simulate_images(latents, path, SETTINGS, 5)
    return path


def table(folder):
    return pd.read_csv(folder / "images.tsv", sep="\t", dtype={"iid": str})


def condition(path):
    try:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
    except OSError:
        return "truncated"
    if picture.std() == 0:
        return "black" if picture.max() == 0 else "blank"
    return "usable"


def test_both_eyes_of_those_who_have_images_and_nobody_twice(folder):
    images = table(folder)
    assert list(images) == ["iid", "eye", "visit", "path"]
    assert len(images) == 2 * 72
    assert images["path"].is_unique
    assert (images.groupby("iid")["eye"].agg(lambda eyes: sorted(eyes)).map(tuple) == ("left", "right")).all()
    assert set(images["visit"]) == {0}
    on_disk = {f"images/{path.name}" for path in (folder / "images").iterdir()}
    assert on_disk == set(images["path"])


def test_as_many_files_are_unusable_as_asked_each_of_another_sample(folder):
    images = table(folder)
    state = images["path"].map(lambda path: condition(folder / path))
    assert state.value_counts().to_dict() == {"usable": 137, "black": 3, "blank": 2, "truncated": 2}
    assert images["iid"][state != "usable"].is_unique


def test_names_and_order_say_nothing_about_the_sample(folder):
    images = table(folder)
    numbers = images["path"].str.extract(r"(\d+)")[0].astype(int)
    assert numbers.tolist() == list(range(144))
    assert abs(np.corrcoef(numbers, images["iid"].astype(int))[0, 1]) < 0.3
    assert not any(iid in path for iid in images["iid"].unique() for path in images["path"])


def test_a_sample_s_eyes_show_the_sample_s_pigment(folder, latents):
    images = table(folder)
    images = images[images["path"].map(lambda path: condition(folder / path)) == "usable"]
    light = images["path"].map(lambda path: np.asarray(Image.open(folder / path)).mean())
    pigment = pd.read_csv(latents, sep="\t", dtype={"iid": str}).set_index("iid")["pigment"]
    assert np.corrcoef(light, pigment.loc[images["iid"]])[0, 1] < -0.6


def test_a_rerun_gives_the_same_bytes_and_removes_the_pictures_of_a_larger_cohort(folder, latents, tmp_path):
    simulate_images(latents, tmp_path, {**SETTINGS, "missing_rate": 0.0}, 5)
    foreign = tmp_path / "images" / "mine.png"
    foreign.write_bytes(b"kept")
    assert len(list((tmp_path / "images").iterdir())) == 161
    simulate_images(latents, tmp_path, SETTINGS, 5)
    foreign.unlink()
    here = {path.name: path.read_bytes() for path in (tmp_path / "images").iterdir()}
    assert here == {path.name: path.read_bytes() for path in (folder / "images").iterdir()}
    assert (tmp_path / "images.tsv").read_bytes() == (folder / "images.tsv").read_bytes()


def test_more_unusable_images_than_images_are_refused(latents, tmp_path):
    with pytest.raises(UserError, match="unusable_images is 145, but there are only 144"):
        simulate_images(latents, tmp_path, {**SETTINGS, "unusable_images": 145}, 5)
    assert not (tmp_path / "images.tsv").exists()
