"""Volumes: orientation, proportions, aliasing, grey levels, and training from end to end."""

import logging
from pathlib import Path

import anndata as ad
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.transforms import GaussianSmooth
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform
from pretraining import RECIPE, write_study
from scipy import stats

from contigwas.embed import embed
from contigwas.images.store import write_images
from contigwas.images.volume import _weights, read_volume
from contigwas.pretrain.train import train
from contigwas.tables.anndata_io import write_modality

SETTINGS = {"size": 16, "dimensions": 3, "crop": "none", "qc": {"min_sd": 4.0, "darkest": 0.0, "brightest": 0.0}}


def save(path: Path, values: np.ndarray, spacing=(1.0, 1.0, 1.0), axes="RAS") -> Path:
    """Write `values`, given along R, A and S, with the axes stored in another order and direction."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-20.0, 11.0, 5.0]
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(axes))
    stored = nib.orientations.apply_orientation(values, turn)
    nib.save(nib.Nifti1Image(stored, affine @ inv_ornt_aff(turn, values.shape)), path)
    return path


def cube(path, size=16):
    """The levels of a volume (inferior to superior, posterior to anterior, left to right)."""
    return read_volume(path, size, 4.0).pixels[..., 0]


def textured(*shape, seed=0):
    """Smooth positive values without a symmetry, int16."""
    noise = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, *shape))).float()
    smooth = GaussianSmooth(2.0)(noise)[0].numpy()
    return (1000 + 400 * smooth / smooth.std()).clip(1).astype(np.int16)


def stretched(values):
    low, high = np.percentile(values, (0.5, 99.5))
    return ((values - low) / (high - low) * 255).clip(0, 255)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "LAS", "SRA", "AIL", "PIR"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_cube_of_the_target_size_is_only_reoriented_and_rescaled(tmp_path, axes, suffix):
    values = textured(16, 16, 16)
    got = cube(save(tmp_path / f"a{suffix}", values, axes=axes))
    assert got.shape == (16, 16, 16) and got.dtype == np.uint8
    assert np.abs(got - stretched(values).transpose(2, 1, 0)).max() <= 0.51


@pytest.mark.parametrize(
    ("shape", "spacing", "axes"),
    [
        ((60, 60, 60), (1.0, 1.0, 1.0), "LPI"),
        ((64, 40, 20), (1.0, 1.5, 3.0), "RAS"),
        ((25, 72, 41), (2.5, 0.9, 1.5), "ASL"),
        ((12, 12, 12), (5.0, 5.0, 5.0), "RAS"),
    ],
    ids=["cube", "equal sides", "anisotropic", "coarse"],
)
def test_a_ball_stays_a_ball_in_its_place(tmp_path, shape, spacing, axes):
    places = np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij")
    sides = np.multiply(shape, spacing)
    offset, width = np.array([4.0, -6.0, 3.0]), 9.0  # millimetres: from the middle, and the SD of the ball
    away = [
        (place * step - side / 2 - one) / width
        for place, step, side, one in zip(places, spacing, sides, offset, strict=True)
    ]
    values = 1000 * np.exp(-0.5 * sum(one**2 for one in away))
    got = cube(save(tmp_path / "a.nii", values.astype(np.float32), spacing, axes), 32).astype(float)
    step = max(sides) / 32
    middles = (np.arange(32) + 0.5) * step - max(sides) / 2
    for axis, expected in zip((2, 1, 0), offset, strict=True):
        weight = got.sum(axis=tuple({0, 1, 2} - {axis}))
        mean = (weight * middles).sum() / weight.sum()
        spread = np.sqrt((weight * (middles - mean) ** 2).sum() / weight.sum())
        assert mean == pytest.approx(expected, abs=0.15 * step + 0.02 * max(spacing))
        assert spread == pytest.approx(width, rel=0.06)


def test_shorter_sides_are_padded_with_black_on_both_sides(tmp_path):
    values = textured(32, 16, 8)
    got = cube(save(tmp_path / "a.nii", values, (1.0, 1.0, 2.0)))
    inside = got > 0
    assert inside.any(axis=(0, 1)).all()
    assert np.flatnonzero(inside.any(axis=(0, 2))).tolist() == list(range(4, 12))
    assert np.flatnonzero(inside.any(axis=(1, 2))).tolist() == list(range(4, 12))


@settings(deadline=None, max_examples=40)
@given(length=st.integers(3, 50), size=st.integers(2, 40), seed=st.integers(0, 99))
def test_resampling_of_a_side_matches_torch_in_two_dimensions(length, size, seed):
    values = torch.from_numpy(np.random.default_rng(seed).random((1, 1, 5, length))).float()
    expected = torch.nn.functional.interpolate(values, (5, size), mode="bilinear", antialias=True)
    assert torch.allclose(values @ _weights(length, size / length, size).T, expected, atol=1e-5)


def test_fine_stripes_become_grey_instead_of_coarse_stripes(tmp_path):
    values = np.zeros((64, 64, 64), np.int16)
    values[::2] = 1000
    values[1::2] = 1
    got = cube(save(tmp_path / "a.nii", values))
    assert np.abs(got[:, :, 1:-1].astype(float) - 127.5).max() <= 5


def test_outliers_and_background_do_not_set_the_grey_levels(tmp_path):
    values = np.zeros((16, 16, 16), np.float32)
    values[4:12, 4:12, 4:12] = stats.norm.ppf((np.random.default_rng(0).permutation(512) + 0.5) / 512).reshape(8, 8, 8)
    inside = values != 0
    values[6, 6, 6] = 1e6
    values[7, 7, 7] = np.nan
    got = cube(save(tmp_path / "a.nii", values)).transpose(2, 1, 0)
    low, high = np.percentile(np.nan_to_num(values)[np.nan_to_num(values) != 0], (0.5, 99.5))
    assert (got[~inside] == 0).all(), "the background of standardised values is black, though they are negative too"
    assert got[6, 6, 6] == 255 and got[7, 7, 7] == 0
    plain = inside.copy()
    plain[6, 6, 6] = plain[7, 7, 7] = False
    assert np.abs(got[plain] - ((values[plain] - low) / (high - low) * 255).clip(0, 255)).max() <= 0.51


def test_water_is_not_background_in_hounsfield_units(tmp_path):
    values = np.full((16, 16, 16), -1000, np.int16)
    values[3:13, 3:13, 3:13] = np.random.default_rng(0).integers(-80, 81, (10, 10, 10))
    got = cube(save(tmp_path / "a.nii", values)).transpose(2, 1, 0)
    assert got[values == 0].size and got[values == 0].min() > 200 and (got[values == -1000] == 0).all()


def test_quality_measures_are_of_the_voxels_that_are_not_zero(tmp_path):
    values = np.zeros((16, 16, 16), np.int16)
    values[4:12, 4:12, 4:12] = textured(8, 8, 8)
    got = read_volume(save(tmp_path / "a.nii", values), 16, 4.0)
    grey = got.pixels[..., 0].astype(float)
    inside = grey > 0
    assert got.brightness == pytest.approx(grey[inside].mean(), rel=1e-5)
    assert got.contrast == pytest.approx(grey[inside].std(), rel=1e-5)
    differences = []
    for z, y, x in np.argwhere(inside):
        around = [(z + 1, y, x), (z - 1, y, x), (z, y + 1, x), (z, y - 1, x), (z, y, x + 1), (z, y, x - 1)]
        if all(inside[one] for one in around):
            differences.append(6 * grey[z, y, x] - sum(grey[one] for one in around))
    assert len(differences) > 50
    assert got.sharpness == pytest.approx(np.var(differences), rel=1e-4)


def test_unusable_volumes_are_counted_by_reason(tmp_path, caplog):
    save(tmp_path / "good.nii.gz", textured(20, 18, 16))
    save(tmp_path / "other.nii.gz", textured(16, 18, 20, seed=1))
    nib.save(nib.Nifti1Image(textured(16, 16, 16)[..., None], np.eye(4)), tmp_path / "single.nii")
    nib.save(nib.Nifti1Image(np.stack([textured(16, 16, 16)] * 3, -1), np.eye(4)), tmp_path / "series.nii")
    nib.save(nib.Nifti1Image(textured(16, 16, 1)[..., 0], np.eye(4)), tmp_path / "slice.nii")
    save(tmp_path / "sheet.nii", textured(40, 40, 2))
    save(tmp_path / "empty.nii", np.zeros((16, 16, 16), np.int16))
    save(tmp_path / "constant.nii", np.full((16, 16, 16), 700, np.int16))
    (tmp_path / "text.nii.gz").write_text("no NIfTI at all")
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "good.nii.gz").read_bytes()[:3000])
    colour = np.zeros((16, 16, 16), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, np.eye(4)), tmp_path / "colour.nii")
    reasons = {"good.nii.gz": "", "series.nii": "several volumes", "slice.nii": "flat", "single.nii": ""}
    reasons |= {"sheet.nii": "flat", "empty.nii": "black", "constant.nii": "blank", "text.nii.gz": "unreadable"}
    reasons |= {"cut.nii.gz": "unreadable", "colour.nii": "unreadable", "none.nii": "missing", "other.nii.gz": ""}
    with caplog.at_level(logging.INFO):
        pixels, images = run(tmp_path, {name: str(1000001 + row) for row, name in enumerate(reasons)})
    assert dict(zip(images["source"], images["reason"], strict=True)) == reasons
    assert pixels.shape == (5, 16, 16, 16, 1) and pixels.dtype == np.uint8
    for row, source in images.loc[images["row"] >= 0, ["row", "source"]].itertuples(index=False):
        assert np.array_equal(pixels[row], read_volume(tmp_path / source, 16, 4.0).pixels)
    assert "3 unreadable" in caplog.text and "1 several volumes" in caplog.text and "100000" not in caplog.text


def test_memory_bounds_how_far_volumes_are_decoded_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr("contigwas.images.store.AHEAD_BYTES", 1)
    names = {save(tmp_path / f"{n}.nii", textured(16, 16, 16, seed=n)).name: str(1000001 + n) for n in range(20)}
    pixels, images = run(tmp_path, names)
    assert images["row"].tolist() == list(range(20))
    assert np.array_equal(pixels, np.stack([read_volume(tmp_path / name, 16, 4.0).pixels for name in names]))


def test_the_number_of_torch_threads_is_restored(tmp_path):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run(tmp_path, {save(tmp_path / "a.nii", textured(16, 16, 16)).name: "1000001"})
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def run(folder, samples):
    """Decode the volumes of `samples` (names of files: IIDs)."""
    table = pd.DataFrame({"iid": samples.values(), "path": samples.keys()})
    table.to_csv(folder / "images.tsv", sep="\t", index=False)
    outputs = folder / "images.npy", folder / "images.parquet"
    write_images(folder / "images.tsv", None, SETTINGS, *outputs, folder / "private" / "dropped.tsv")
    return np.load(outputs[0]), pd.read_parquet(outputs[1])


def test_volumes_are_decoded_trained_on_and_embedded(tmp_path):
    files = write_study(tmp_path, samples=40, missing_rate=0.0)
    cohort = pd.read_csv(files["cohort"], sep="\t", dtype={"iid": str})
    rng = np.random.default_rng(0)
    score = rng.normal(size=40)
    places = np.meshgrid(*[np.linspace(-1, 1, 24)] * 3, indexing="ij")
    distance = np.sqrt(sum(place**2 for place in places))
    samples = {}
    for number, iid in enumerate(cohort["iid"]):
        values = 600 * np.exp(-((distance / (0.4 + 0.12 * np.tanh(score[number]))) ** 2)) + rng.uniform(
            1, 60, (24,) * 3
        )
        samples[save(tmp_path / f"{number}.nii.gz", values.astype(np.int16)).name] = iid
    pixels, images = run(tmp_path, samples)
    assert pixels.shape == (40, 16, 16, 16, 1) and images["kept"].all()
    write_modality(
        tmp_path / "pgs.h5ad",
        score.astype(np.float32)[:, None],
        pd.Index(cohort["iid"]),
        pd.DataFrame(index=["score"]),
        {},
    )
    recipe = {**RECIPE, "modalities": ["pgs"], "folds": 1, "epochs": 2, "adjust": []}
    train(
        files["cohort"],
        tmp_path / "images.npy",
        tmp_path / "images.parquet",
        {"pgs": tmp_path / "pgs.h5ad"},
        recipe,
        0,
        tmp_path / "model.ckpt",
        tmp_path / "history.csv",
    )
    history = pd.read_csv(tmp_path / "history.csv")
    assert len(history) == 2 and np.isfinite(history["train_loss"]).all()
    how = {"checkpoint": "last", "augment": 1, "layer": "trunk", "math_threads": 1}
    embed(
        tmp_path / "model.ckpt",
        tmp_path / "images.npy",
        tmp_path / "images.parquet",
        files["cohort"],
        how,
        tmp_path / "embeddings.h5ad",
    )
    features = ad.read_h5ad(tmp_path / "embeddings.h5ad")
    kept = cohort.loc[cohort["exclusion"].isna(), "iid"]
    assert features.obs_names.tolist() == kept.tolist() and np.isfinite(features.X).all()
    first = features.X @ np.linalg.svd(features.X - features.X.mean(axis=0), full_matrices=False)[2][0]
    assert abs(stats.spearmanr(first, score[: len(kept)])[0]) > 0.5
