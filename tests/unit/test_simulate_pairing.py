"""Real photographs paired at random with genotypes, and one SNP that shifts their colour."""

import logging

import numpy as np
import pandas as pd
import pytest
from bed_reader import to_bed
from PIL import Image

from contigwas.runtime.errors import UserError
from contigwas.simulate.pairing import pair, shift_colour
from contigwas.tables.anndata_io import MISSING

SAMPLES, PHOTOGRAPHS = 30, 24


@pytest.fixture
def genotypes(tmp_path):
    """Two chromosomes, `rs7` on the second; the pattern of its .fam files and the calls of rs7 by IID."""
    rng = np.random.default_rng(0)
    iids = [f"HG{number:05d}" for number in rng.permutation(SAMPLES)]
    calls = rng.binomial(2, 0.4, (SAMPLES, 5)).astype(np.int8)
    calls[:3, 2] = MISSING
    for chrom, names in ((1, ["rs1", "rs2", "rs3", "rs4", "rs4"]), (2, ["rs5", "rs6", "rs7", "rs8", "rs9"])):
        properties = {"iid": iids, "fid": iids, "sid": names, "chromosome": [str(chrom)] * 5,
                      "bp_position": range(5), "allele_1": ["A"] * 5, "allele_2": ["G"] * 5}  # fmt: skip
        to_bed(tmp_path / f"chr{chrom}.bed", calls, properties=properties, num_threads=1)
    return str(tmp_path / "chr{chrom}.bed"), dict(zip(iids, calls[:, 2].tolist(), strict=True))


@pytest.fixture
def photographs(tmp_path):
    """Round fields of view on black, 100 pixels, one of them 600; each has a brightness of its own."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(PHOTOGRAPHS):
        size = 600 if number == 0 else 100
        line = (np.arange(size) + 0.5) * 2 / size - 1
        field = np.hypot(line, line[:, None]) < 0.9
        picture = np.zeros((size, size, 3), np.uint8)
        picture[field] = (120 + number, 80, 60)
        Image.fromarray(picture).save(folder / f"eye_{number}.png")
    (folder / "licence.txt").write_text("not a photograph")
    return folder


def table(folder):
    return pd.read_csv(folder / "images.tsv", sep="\t", dtype={"iid": str})


def centre(path):
    with Image.open(path) as image:
        picture = np.asarray(image.convert("RGB")).astype(float)
    middle = slice(picture.shape[0] // 2 - 10, picture.shape[0] // 2 + 10)
    return picture[middle, middle].mean(axis=(0, 1))


def test_everyone_paired_has_one_photograph_of_their_own(genotypes, photographs, tmp_path):
    pair(genotypes[0], photographs, tmp_path / "out", None, [1, 2], 3)
    images = table(tmp_path / "out")
    assert list(images) == ["iid", "eye", "visit", "path"]
    assert len(images) == PHOTOGRAPHS
    assert images["iid"].is_unique
    assert set(images["iid"]) < set(genotypes[1])
    assert images["path"].is_unique
    assert set(images["eye"]) == {"unknown"}
    found = {(tmp_path / "out" / path).resolve() for path in images["path"]}
    assert found == {path.resolve() for path in photographs.glob("*.png")}
    pair(genotypes[0], photographs, tmp_path / "other", None, [1, 2], 4)
    assert not images.equals(table(tmp_path / "other"))


def test_each_effect_allele_shifts_the_colour_and_nothing_else_does(genotypes, photographs, tmp_path, caplog):
    pattern, calls = genotypes
    plain, planted = tmp_path / "plain", tmp_path / "planted"
    pair(pattern, photographs, plain, None, [1, 2], 3)
    with caplog.at_level(logging.INFO):
        pair(pattern, photographs, planted, {"variant": "rs7", "shift": 9.0}, [1, 2], 3)
    before, after = table(plain).set_index("iid")["path"], table(planted).set_index("iid")["path"]
    assert set(before.index) == set(after.index)
    for iid, path in after.items():
        alleles = max(calls[iid], 0)
        change = centre(planted / path) - centre(plain / before[iid])
        np.testing.assert_allclose(change, [9.0 * alleles, 0, -9.0 * alleles], atol=2)
        assert iid not in path
        with Image.open(planted / path) as image:
            assert image.height <= 480
            assert np.asarray(image)[:4, :4].max() < 6
    uncalled = sum(calls[iid] == MISSING for iid in after.index)
    assert uncalled > 0
    assert f"{uncalled} of {PHOTOGRAPHS} photographs are not shifted" in caplog.text
    assert not any(iid in caplog.text for iid in calls)


def test_shift_is_clipped_and_stays_in_the_field_of_view():
    size = 80
    line = (np.arange(size) + 0.5) * 2 / size - 1
    field = np.hypot(line, line[:, None]) < 0.8
    picture = np.zeros((size, size, 3), np.uint8)
    picture[field] = (250, 100, 3)
    shifted, clipped = shift_colour(picture, 10.0)
    assert tuple(shifted[40, 40]) == (255, 100, 0)
    assert clipped == pytest.approx(1.0, abs=0.1)
    assert (shifted[np.hypot(line, line[:, None]) > 0.86] == 0).all()
    same, none = shift_colour(picture, 0.0)
    np.testing.assert_array_equal(same, picture)
    assert none == 0


def test_what_cannot_be_done_is_said_in_a_sentence(genotypes, photographs, tmp_path):
    pattern, _ = genotypes
    out = tmp_path / "out"
    with pytest.raises(UserError, match="has no variant rs99 on chromosomes 1, 2"):
        pair(pattern, photographs, out, {"variant": "rs99", "shift": 9.0}, [1, 2], 3)
    with pytest.raises(UserError, match="rs4 is the id of 2 variants"):
        pair(pattern, photographs, out, {"variant": "rs4", "shift": 9.0}, [1, 2], 3)
    with pytest.raises(UserError, match=r"nowhere holds no \.jpg or \.png"):
        pair(pattern, tmp_path / "nowhere", out, None, [1, 2], 3)
    for path in photographs.glob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match="cannot be read as a photograph"):
        pair(pattern, photographs, out, {"variant": "rs7", "shift": 9.0}, [1, 2], 3)
    assert not (out / "images.tsv").exists()
