"""The heat map of features and loci."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from contigwas.plots.overview import overview
from contigwas.runtime.errors import UserError
from tests.unit.plots_data import SETTINGS, write_gwas, write_loci


def test_the_values_are_those_of_the_leads(tmp_path):
    gwas = write_gwas(tmp_path, 3, 200, hits=3)
    path = write_loci(tmp_path, gwas, 7)
    figure = overview(gwas, path, SETTINGS, [tmp_path / "o.png", tmp_path / "o.pdf"], "contig")
    values = figure.axes[0].images[0].get_array()
    loci = pd.read_csv(path, sep="\t")
    np.testing.assert_allclose(values, np.outer([0.9, 0.1], loci["log10p"]), rtol=1e-5)
    assert [one.get_text() for one in figure.axes[0].get_yticklabels()] == ["E1", "E2"]
    assert [one.get_text() for one in figure.axes[0].get_xticklabels()] == loci["lead_id"].tolist()
    (dots,) = [line for line in figure.axes[0].lines if line.get_gid() == "significant"]
    assert len(dots.get_xdata()) == (values >= -np.log10(5e-8)).sum()
    assert (tmp_path / "o.pdf").stat().st_size > 1000


def test_many_loci_are_cut_to_the_strongest(tmp_path):
    gwas = write_gwas(tmp_path, 5, 200, hits=25)
    path = write_loci(tmp_path, gwas, 120, genes="GENE1,GENE2")
    figure = overview(gwas, path, SETTINGS, [tmp_path / "o.png"], "contig")
    assert figure.axes[0].images[0].get_array().shape == (2, 80)
    assert "not shown: 40 weaker loci" in [text.get_text() for text in figure.texts]
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [label.get_window_extent(renderer) for label in figure.axes[0].get_xticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
    assert min(box.y0 for box in boxes) >= 0


def test_variants_without_an_id_are_distinguished_by_position(tmp_path):
    gwas = write_gwas(tmp_path, 1, 50, hits=2)
    pd.read_parquet(gwas["1"]).assign(id=".").to_parquet(gwas["1"])
    path = write_loci(tmp_path, gwas, 2)
    figure = overview(gwas, path, SETTINGS, [tmp_path / "o.png"], "contig")
    expected = np.outer([0.9, 0.1], pd.read_csv(path, sep="\t")["log10p"])
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), expected, rtol=1e-5)


def test_no_locus(tmp_path):
    gwas = write_gwas(tmp_path, 1, 50)
    figure = overview(gwas, write_loci(tmp_path, gwas, 0), SETTINGS, [tmp_path / "o.png"], "contig")
    assert "no locus to show" in [text.get_text() for text in figure.axes[0].texts]


def test_of_very_many_features_those_are_shown_that_reach_the_threshold(tmp_path):
    gwas = write_gwas(tmp_path, 1, 50, hits=2, top=20)
    table = pd.read_parquet(gwas["1"])
    reached = [f"a_feature_of_a_long_name_{number}" for number in range(3, 300, 10)]
    names = [f"a_feature_of_a_long_name_{number}" for number in range(300)]
    more = {f"log10p_{name}": np.float32(table["log10p_manova"] * (1.5 if name in reached else 0.01)) for name in names}
    more |= {f"beta_{name}": np.float32(0) for name in names}
    pd.concat([table.drop(columns=["beta_E1", "log10p_E1"]), pd.DataFrame(more, index=table.index)], axis=1).to_parquet(
        gwas["1"]
    )
    title = "a_model_with_a_name_that_is_wider_than_its_narrow_figure"
    figure = overview(gwas, write_loci(tmp_path, gwas, 2), SETTINGS, [tmp_path / "o.png"], title)
    labels = [one.get_text() for one in figure.axes[0].get_yticklabels()]
    assert len(labels) == len(set(labels)) == len(reached) == 30
    assert [int(one.rpartition("_")[2]) for one in labels] == list(range(3, 300, 10)), "in the order of the file"
    assert "not shown: 271 features with larger p" in [text.get_text() for text in figure.texts]
    renderer = FigureCanvasAgg(figure).get_renderer()
    width = figure.canvas.get_width_height()[0]
    assert all(text.get_window_extent(renderer).x1 <= width for text in figure.texts)


def test_loci_of_another_run(tmp_path):
    gwas = write_gwas(tmp_path, 1, 50, hits=2)
    path = write_loci(tmp_path, gwas, 2)
    pd.read_parquet(gwas["1"]).assign(id="x").to_parquet(gwas["1"])
    with pytest.raises(UserError, match="lead variants are missing or duplicated in"):
        overview(gwas, path, SETTINGS, [tmp_path / "o.png"], "contig")
