"""Images at quantiles of components, and of nearest neighbours: shown samples and private folders."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from contigwas.components.images import SampleImages, nearest, nearest_to_quantiles, neighbours, quantiles
from contigwas.images.table import first_images


@pytest.fixture
def study(tmp_path):
    """Write 60 samples with two images each; the brightness of the first is the number of the sample and unique."""
    samples = [f"{i:04d}" for i in range(60)]
    values = np.arange(60.0)
    images = np.zeros((120, 8, 8, 3), np.uint8)
    images[::2] = (values * 4).astype(np.uint8)[:, None, None, None]
    table = pd.DataFrame({"row": range(120), "iid": np.repeat(samples, 2), "kept": True})
    table.loc[0, "kept"] = False  # of the first sample the second image counts
    table.sample(frac=1, random_state=1).to_parquet(tmp_path / "images.parquet", index=False)
    np.save(tmp_path / "images.npy", images)
    features = np.column_stack([values, 2 * values])
    obs = pd.DataFrame({"gwas_eligible": True}, index=samples)
    ad.AnnData(features, obs=obs).write_h5ad(tmp_path / "embeddings.h5ad")
    table = pd.DataFrame({"iid": samples, "E1": values, "E2": np.where(values < 10, values, np.nan)})
    table.sample(frac=1, random_state=2).to_parquet(tmp_path / "phenotypes.parquet", index=False)
    return tmp_path


def test_samples_at_a_quantile_are_the_nearest_without_duplicates():
    values = pd.Series(np.arange(100.0), [f"{i:03d}" for i in range(100)]).sample(frac=1, random_state=0)
    groups = nearest_to_quantiles(values)
    for quantile, group in zip((2, 25, 50, 75, 98), groups, strict=True):
        apart = [abs(values[one] - np.percentile(values, quantile)) for one in group]
        assert max(apart) <= 2 and apart == sorted(apart)
    assert len({one for group in groups for one in group}) == 15
    assert nearest_to_quantiles(values.head(14)) == []
    tight = nearest_to_quantiles(values.head(15))
    assert sorted(one for group in tight for one in group) == sorted(values.head(15).index)


def test_neighbours_are_those_of_a_loop():
    features = np.random.default_rng(1).normal(size=(30, 4))
    for one in range(30):
        order = sorted((i for i in range(30) if i != one), key=lambda i: np.linalg.norm(features[i] - features[one]))
        assert nearest(features, one).tolist() == order[:8]
    assert nearest(features[:3], 0).shape == (2,)


def test_explanations_and_sheets_show_the_same_image_of_a_sample(study):
    pictures = SampleImages.of(study / "images.npy", study / "images.parquet")
    first = first_images(study / "images.parquet")
    pd.testing.assert_series_equal(first.set_index("iid")["row"], pictures.row)
    assert first["row"].tolist() == [1, *range(2, 120, 2)]


def test_the_first_kept_image_is_shown(study):
    pictures = SampleImages.of(study / "images.npy", study / "images.parquet")
    assert pictures["0005"].max() == 20
    assert pictures.row["0000"] == 1


def test_images_go_from_dark_to_bright_along_the_component_into_a_private_folder(study):
    out = study / "private/components/m/quantiles.png"
    figure = quantiles(study / "phenotypes.parquet", None, study / "images.npy", study / "images.parquet", [out], "m")
    means = [axis.get_images()[0].get_array().mean() for axis in figure.axes]
    assert len(means) == 15, "a feature of 10 samples is left out"
    groups = np.array(means).reshape(5, 3)
    assert (groups.max(axis=1)[:-1] < groups.min(axis=1)[1:]).all()
    assert out.stat().st_size and out.parent.stat().st_mode & 0o777 == 0o700
    assert (study / "private").stat().st_mode & 0o777 == 0o700


def test_neighbours_of_samples_look_like_them(study):
    out = study / "private/components/m/neighbours.png"
    images = study / "images.npy", study / "images.parquet"
    figure = neighbours(study / "embeddings.h5ad", *images, [out], "m", seed=3)
    means = np.array([axis.get_images()[0].get_array().mean() for axis in figure.axes]).reshape(8, 9)
    assert len(set(means[:, 0])) == 8
    inner = means[(means[:, 0] > 40) & (means[:, 0] < 190)]
    assert len(inner) and (np.abs(inner[:, 1:3] - inner[:, :1]) <= 8).all()
    again = neighbours(study / "embeddings.h5ad", *images, [out], "m", seed=3)
    assert [axis.get_images()[0].get_array().mean() for axis in again.axes] == means.ravel().tolist()


def test_samples_without_images_give_a_figure_that_says_so(study, caplog):
    pd.read_parquet(study / "phenotypes.parquet").head(14).to_parquet(study / "few.parquet", index=False)
    data = ad.read_h5ad(study / "embeddings.h5ad")
    data.obs_names = [f"x{name}" for name in data.obs_names[:-1]] + [data.obs_names[-1]]
    data.write_h5ad(study / "strangers.h5ad")
    images, out = (study / "images.npy", study / "images.parquet"), study / "private/components/m"
    with caplog.at_level("WARNING"):
        few = quantiles(study / "few.parquet", None, *images, [out / "quantiles.png"], "m")
        strangers = neighbours(study / "strangers.h5ad", *images, [out / "neighbours.png"], "m", seed=1)
    for figure, sentence in (
        (few, "no feature with 15 samples with an image"),
        (strangers, "no two tested samples with an image"),
    ):
        assert [text.get_text() for axis in figure.axes for text in axis.texts] == [sentence]
        assert not [one for axis in figure.axes for one in axis.get_images()] and sentence in caplog.text
    assert all((out / name).stat().st_size for name in ("quantiles.png", "neighbours.png"))
