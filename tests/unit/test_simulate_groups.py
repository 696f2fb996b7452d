"""Planted groups: assignment, marks in photographs, and independence of everything else."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import adjusted_rand_score

from contigwas.runtime.errors import UserError
from contigwas.simulate.fundus import render
from contigwas.simulate.groups import choose_groups, mark
from contigwas.simulate.images import simulate_images
from contigwas.simulate.settings import GROUPS, LATENTS, Simulation

pytestmark = pytest.mark.slow

SETTINGS = {"missing_rate": 0.1, "unusable_images": 0, "image_size": 64, "nuisance": 1.0}
GROUPED = {**SETTINGS, "groups": {"count": 4, "strength": 1.0, "traits": 1.0}}


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    path = tmp_path_factory.mktemp("latents") / "latents.tsv"
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((500, 6)), columns=list(LATENTS))
    table.insert(0, "iid", [str(1000001 + row) for row in range(500)])
    table.to_csv(path, sep="\t", index=False)
    return path


@pytest.fixture(scope="module")
def folder(latents, tmp_path_factory):
    path = tmp_path_factory.mktemp("groups")
    simulate_images(latents, path, GROUPED, 5)
    return path


@pytest.fixture(scope="module")
def seen(folder):
    """Photographs (eyes, size, size, 3), the groups and the iids of their samples."""
    images = pd.read_csv(folder / "images.tsv", sep="\t", dtype={"iid": str})
    groups = pd.read_csv(folder / "groups.tsv", sep="\t", dtype={"iid": str}).set_index("iid")["group"]
    pictures = np.stack([np.asarray(Image.open(folder / path)) for path in images["path"]])
    return pictures, groups.loc[images["iid"]].to_numpy(), images["iid"].to_numpy()


def bare_and_marked(kind, many=40, strength=1.0, nuisance=0.0):
    """The same eyes without and with the marks of one kind."""
    traits, right = np.random.default_rng(1).standard_normal((many, 6)), np.arange(many) % 2 == 0

    def marks(picture, x, y):
        groups = np.full(many, GROUPS.index(kind))
        mark(picture, x, y, groups, strength, np.random.default_rng(3))

    return tuple(
        render(traits, right, 64, nuisance, np.random.default_rng(2), one).astype(float) for one in (None, marks)
    )


def test_groups_have_equal_sizes_and_include_all_samples(folder, latents):
    groups = pd.read_csv(folder / "groups.tsv", sep="\t", dtype={"iid": str})
    assert list(groups) == ["iid", "group"]
    samples = pd.read_csv(latents, sep="\t", dtype={"iid": str})
    assert groups["iid"].tolist() == samples["iid"].tolist()
    assert groups["group"].value_counts().to_dict() == dict.fromkeys(GROUPS, 125)
    assert np.bincount(choose_groups(100, 3, np.random.default_rng(0))).tolist() == [34, 33, 33]


def test_groups_are_independent_of_traits(folder, latents):
    groups = pd.read_csv(folder / "groups.tsv", sep="\t")["group"]
    means = pd.read_csv(latents, sep="\t")[list(LATENTS)].groupby(groups).mean()
    assert np.abs(means.to_numpy()).max() < 4 / np.sqrt(125), "four standard errors"


def test_groups_only_add_marks(latents, folder, tmp_path):
    """Samples, names and eyes are the same; strength 0 draws nothing."""
    simulate_images(latents, tmp_path / "none", SETTINGS, 5)
    assert not (tmp_path / "none/groups.tsv").exists()
    simulate_images(latents, tmp_path / "zero", {**SETTINGS, "groups": {"count": 4, "strength": 0.0, "traits": 1.0}}, 5)
    assert (tmp_path / "none/images.tsv").read_bytes() == (folder / "images.tsv").read_bytes()
    for path in sorted((tmp_path / "none/images").iterdir()):
        assert path.read_bytes() == (tmp_path / "zero/images" / path.name).read_bytes()


def test_setting_traits_scales_the_traits(latents, tmp_path):
    """Without nuisance, the spread of brightness over samples is that of pigment."""
    spread = {}
    for traits in (1.0, 0.5, 0.0):
        settings = {**SETTINGS, "nuisance": 0.0, "groups": {"count": 4, "strength": 0.0, "traits": traits}}
        simulate_images(latents, tmp_path, settings, 5)
        images = pd.read_csv(tmp_path / "images.tsv", sep="\t", dtype={"iid": str})
        light = [np.log(np.asarray(Image.open(tmp_path / path))[20:44, 20:44, 2].mean()) for path in images["path"]]
        spread[traits] = np.std(light)
    assert spread[0.0] < 0.3 * spread[0.5]
    assert spread[0.5] == pytest.approx(0.5 * spread[1.0], rel=0.15)


def test_files_depend_only_on_settings_and_seed(latents, folder, tmp_path):
    simulate_images(latents, tmp_path, GROUPED, 5)
    for path in [*(folder / "images").iterdir(), folder / "groups.tsv"]:
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes()


@pytest.mark.parametrize(("kind", "brighter"), [("exudates", 1), ("drusen", 1), ("scars", 1), ("haemorrhages", -1)])
def test_each_kind_has_its_colour_and_no_two_eyes_the_same_marks(kind, brighter):
    bare, marked = bare_and_marked(kind)
    change = (marked - bare)[..., 1]
    assert brighter * change[np.abs(change) > 20].mean() > 20
    places = np.abs(change) > 20
    shares = places.mean(axis=(1, 2))
    assert 0.002 < shares.min() < shares.max() < 0.12, "few pixels, and not the same number"
    both = (places[0::2] & places[1::2]).sum(axis=(1, 2))
    assert (both < 0.7 * places[0::2].sum(axis=(1, 2))).all()


def test_positions_of_marks():
    line = (np.arange(64) + 0.5) * 2 / 64 - 1
    far = np.hypot(line, line[:, None])
    mean = {}
    for kind in GROUPS:
        bare, marked = bare_and_marked(kind)
        places = np.abs(marked - bare)[..., 1] > 20
        mean[kind] = (places * far).sum() / places.sum()
    assert mean["drusen"] < mean["exudates"] < mean["scars"]
    assert mean["drusen"] < mean["haemorrhages"] < mean["scars"]


def test_texture_predicts_the_group(seen):
    """A random forest on the contrast of spots predicts the group of other samples."""
    pictures, groups, iids = seen
    line = (np.arange(64) + 0.5) * 2 / 64 - 1
    away = np.hypot(line, line[:, None])
    logs, inside = np.log(np.maximum(pictures, 4).astype(np.float64)), away < 0.9
    ground = gaussian_filter(logs * inside[..., None], (0, 3, 3, 0)) / gaussian_filter(inside * 1.0, 3)[..., None]
    red, green, blue = gaussian_filter((logs - ground) * inside[..., None], (0, 0.7, 0.7, 0)).transpose(3, 0, 1, 2)
    rings = [(away >= low) & (away < high) for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.88))]
    features = []
    for spots in (red, green, blue, blue - red, green - red, blue - green):
        for ring in rings:
            features += [*np.quantile(spots[:, ring], [0.01, 0.03, 0.1, 0.9, 0.97, 0.99], axis=1)]
            features.append(spots[:, ring].std(axis=1))
    features = np.stack(features, axis=1)
    learn = np.isin(iids, np.unique(iids)[::2])
    forest = RandomForestClassifier(200, random_state=0).fit(features[learn], groups[learn])
    assert forest.score(features[~learn], groups[~learn]) > 0.8, "chance is 0.25"


def test_clusters_of_pixels_are_not_the_groups(seen):
    """Most pixel variance is due to light, pigment and position."""
    pictures, groups, _ = seen
    scores = PCA(16, random_state=0).fit_transform(pictures.reshape(len(pictures), -1).astype(np.float32))
    clusters = KMeans(4, n_init=5, random_state=0).fit_predict(scores)
    assert adjusted_rand_score(groups, clusters) < 0.1


def test_groups_and_lesions_exclude_each_other():
    settings = {
        **GROUPED,
        "lesions": {"dimensions": 2, "genes": 400, "driven": 0.7, "contrast": 0.2, "distractors": 0.6},
    }
    with pytest.raises(UserError, match="simulate has lesions and groups"):
        Simulation.of(settings)
