"""The map of samples: hexagons of at least five, means by hand, and what is refused."""

import builtins

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from contigwas.plots.map import coloured_hexagons, features_of_tested, flat, plot_map
from contigwas.runtime.errors import UserError

SETTINGS = {"method": "pca", "colour": None, "covariates": ["sex", "age", "PC1-PC2", "site"], "seed": 1}


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(0)
    samples = [f"{i:04d}" for i in range(300)]
    features = rng.normal(size=(300, 6)) * [5, 3, 1, 1, 1, 1]
    obs = pd.DataFrame({"tested": [True] * 280 + [False] * 20}, index=samples)
    ad.AnnData(features, obs=obs).write_h5ad(tmp_path / "embeddings.h5ad")
    cohort = pd.DataFrame({"fid": samples, "iid": samples, "sex": 1 + np.arange(300) % 2, "family": samples, "fold": 0})
    cohort.assign(gwas_included=1, exclusion="").to_csv(tmp_path / "cohort.tsv", sep="\t", index=False)
    table = pd.DataFrame({"iid": samples, "age": rng.integers(40, 70, 300), "site": rng.choice(["a", "b", "c"], 300)})
    table.loc[:9, "age"] = np.nan
    table.to_csv(tmp_path / "covariates.tsv", sep="\t", index=False, na_rep="NA")
    pd.DataFrame({"iid": samples, "PC1": 0.5, "PC2": rng.normal(size=300)}).to_parquet(tmp_path / "pcs.parquet")
    return tmp_path


def drawn(study, **settings):
    paths = [study / name for name in ("embeddings.h5ad", "cohort.tsv", "covariates.tsv", "pcs.parquet")]
    return plot_map(*paths, SETTINGS | settings, [study / "map.png", study / "map.pdf"])


def titles(figure):
    return [axis.get_title(loc="left") for axis in figure.axes if axis.get_title(loc="left")]


def test_every_hexagon_holds_five_samples_and_shows_their_mean():
    rng = np.random.default_rng(1)
    places, values = rng.normal(size=(400, 2)), rng.normal(size=400)
    values[:50] = np.nan
    figure = Figure()
    counts = coloured_hexagons(figure, figure.add_subplot(1, 2, 1), places[50:], None)
    means = coloured_hexagons(figure, figure.add_subplot(1, 2, 2), places, values)
    assert counts.get_array().min() >= 5
    known, shown = places[50:], values[50:]
    for drawn in (means,):
        centres = drawn.get_offsets()
        assert len(centres) == len(drawn.get_array()) > 3
        path = drawn.get_paths()[0]
        found = 0
        for centre, mean in zip(centres, np.asarray(drawn.get_array()), strict=True):
            inside = path.contains_points(known - centre)
            assert inside.sum() >= 4, "points on an edge may count next door"
            found += np.isclose(shown[inside].mean(), mean)
        assert found > 0.9 * len(centres)


def test_four_samples_make_no_hexagon_and_the_figure_says_so():
    figure = Figure()
    axis = figure.subplots()
    assert coloured_hexagons(figure, axis, np.zeros((4, 2)), np.ones(4)) is None
    assert coloured_hexagons(figure, axis, np.random.default_rng(0).normal(size=(12, 2)) * 1e3, None) is None
    assert [text.get_text() for text in axis.texts] == ["no hexagon of 5 samples"] * 2


def test_two_dimensions_are_the_principal_components_of_standardised_features(study):
    iids, features = features_of_tested(study / "embeddings.h5ad")
    assert len(iids) == 280
    raw = ad.read_h5ad(study / "embeddings.h5ad").X[:280]
    standard = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    expected = PCA(2).fit(standard)
    got, axes = flat(features, "pca", 0)
    for column in range(2):
        assert abs(np.corrcoef(got[:, column], expected.transform(standard)[:, column])[0, 1]) == pytest.approx(1)
    share = 100 * expected.explained_variance_ratio_
    assert axes == tuple(f"component {place + 1} ({share[place]:.0f} %)" for place in range(2))


def test_by_default_covariates_of_the_gwas_but_no_components_are_drawn(study):
    shown = titles(drawn(study))
    assert shown[:3] == ["samples", "sex = 2, share", "age"]
    assert sorted(shown[3:]) == ["site = a, share", "site = b, share", "site = c, share"]
    before = (study / "map.png").read_bytes(), (study / "map.pdf").read_bytes()
    drawn(study)
    assert before == ((study / "map.png").read_bytes(), (study / "map.pdf").read_bytes())


def test_any_covariate_may_be_named(study):
    assert titles(drawn(study, colour=["PC2", "factor(sex)"])) == ["samples", "PC2", "factor(sex) = 2, share"]
    with pytest.raises(UserError, match=r"plots\.map\.colour names bmi, but .* have only .*age"):
        drawn(study, colour=["bmi"])


def test_few_samples_make_a_figure_too(study):
    data = ad.read_h5ad(study / "embeddings.h5ad")
    data.obs["tested"] = np.arange(300) < 3
    data.write_h5ad(study / "embeddings.h5ad")
    figure = drawn(study)
    assert all("no hexagon" in axis.texts[0].get_text() for axis in figure.axes if axis.axison)


def test_features_that_are_not_numbers_are_told_in_one_sentence(study):
    data = ad.read_h5ad(study / "embeddings.h5ad")
    data.X[[3, 7], 2] = np.nan
    data.write_h5ad(study / "embeddings.h5ad")
    with pytest.raises(UserError, match="no finite numbers, of 2 of 280 tested samples") as reported:
        drawn(study)
    assert "0003" not in str(reported.value) and "0007" not in str(reported.value)


def test_umap_that_is_not_installed_is_told(monkeypatch):
    true_import = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "umap":
            raise ImportError(name)
        return true_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'contigwas\[umap\]'"):
        flat(np.zeros((20, 3)), "umap", 0)


def test_a_covariate_that_does_not_vary_is_left_out_with_a_line_in_the_log(study, caplog):
    table = pd.read_csv(study / "covariates.tsv", sep="\t", dtype={"iid": str})
    table.assign(centre="north", empty=np.nan).to_csv(study / "covariates.tsv", sep="\t", index=False, na_rep="NA")
    with caplog.at_level("INFO"):
        shown = titles(drawn(study, colour=["PC1", "centre", "empty", "age"]))
    assert shown == ["samples", "age"]
    assert "the covariate PC1 has one value among the tested samples and is not drawn" in caplog.text
    assert "the covariate centre has one value among the tested samples and is not drawn" in caplog.text
    assert "the covariate empty is known of no tested sample and is not drawn" in caplog.text
    assert "coloured by age" in caplog.text
