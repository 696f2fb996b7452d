"""The Manhattan plot: every hit is drawn, labels do not overlap, nothing found is said."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from contigwas.plots.manhattan import CELLS, manhattan
from contigwas.runtime.errors import UserError
from tests.unit.plots_data import P1, SETTINGS, write_gwas, write_loci


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def draw(folder, gwas, loci, suffixes=("png",), **keywords):
    outputs = [folder / f"m.{suffix}" for suffix in suffixes]
    return manhattan(gwas, loci, SETTINGS, outputs, title="contig", **keywords)


def lines(figure, name):
    return [line for line in figure.axes[0].lines if line.get_gid() == name]


def texts(figure):
    return " ".join(text.get_text() for text in [*figure.texts, *figure.axes[0].texts])


@pytest.mark.parametrize(("chromosomes", "top"), [(1, 12.0), (6, 40.0), (22, 300.0)])
def test_every_hit_is_drawn_and_the_rest_is_thinned(tmp_path, chromosomes, top):
    gwas = write_gwas(tmp_path, chromosomes, 60_000 // chromosomes, hits=30, top=top)
    figure = draw(tmp_path, gwas, write_loci(tmp_path, gwas, 8), ("png", "pdf"))
    heights = np.concatenate([line.get_ydata() for line in lines(figure, "variants")])
    everything = np.concatenate([pd.read_parquet(path)["log10p_manova"] for path in gwas.values()])
    hits = np.sort(everything[everything >= np.float32(-np.log10(P1))])
    np.testing.assert_allclose(np.sort(heights[heights >= hits.min()]), hits)
    assert len(hits) == 30 * chromosomes
    assert len(heights) < 45_000
    assert len(heights) <= CELLS[0] * CELLS[1] + len(hits)
    assert all(line.get_rasterized() for line in lines(figure, "variants"))
    assert figure.axes[0].get_ylim()[1] > heights.max()
    assert (tmp_path / "m.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "m.pdf").read_bytes()[:5] == b"%PDF-"
    assert not list(tmp_path.glob(".*tmp*"))


@pytest.mark.parametrize("count", [3, 12, 100])
def test_labels_do_not_overlap_and_lie_inside(tmp_path, count):
    gwas = write_gwas(tmp_path, 22, 400, hits=10)
    figure = draw(tmp_path, gwas, write_loci(tmp_path, gwas, count))
    renderer = FigureCanvasAgg(figure).get_renderer()
    labels = [text for text in figure.axes[0].texts if text.get_gid() == "label"]
    boxes = [text.get_window_extent(renderer) for text in labels]
    assert len(boxes) == count if count < 50 else 30 < len(boxes) < count
    assert not any(a.overlaps(b) for number, a in enumerate(boxes) for b in boxes[:number])
    others = [text.get_window_extent(renderer) for text in figure.texts]
    assert not any(box.overlaps(other) for box in boxes for other in others)
    width, height = figure.canvas.get_width_height()
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height for box in [*boxes, *others])
    assert len(lines(figure, "leads")[0].get_xdata()) == count


def test_a_lead_is_named_by_its_first_gene_or_its_id(tmp_path):
    gwas = write_gwas(tmp_path, 2, 300, hits=1)
    for genes, label in (("SIX6,SIX1", "SIX6"), ("SIX6 (2300 bp)", "SIX6"), ("", "rs")):
        figure = draw(tmp_path, gwas, write_loci(tmp_path, gwas, 2, genes))
        found = [text.get_text() for text in figure.axes[0].texts if text.get_gid() == "label"]
        assert all(one.startswith(label) for one in found)
        assert len(found) == 2


def test_ticks_of_chromosomes_do_not_overlap(tmp_path):
    gwas = write_gwas(tmp_path, 22, 50)
    figure = draw(tmp_path, gwas, write_loci(tmp_path, gwas, 0))
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [label.get_window_extent(renderer) for label in figure.axes[0].get_xticklabels()]
    assert len(boxes) >= 20
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def test_nothing_found_and_nothing_tested_are_said(tmp_path):
    gwas = write_gwas(tmp_path, 2, 300)
    loci = write_loci(tmp_path, gwas, 0)
    assert "no locus at p ≤ 5 × 10⁻⁸" in texts(draw(tmp_path, gwas, loci))
    for path in gwas.values():
        pd.read_parquet(path).assign(log10p_manova=np.float32(np.nan)).to_parquet(path)
    figure = draw(tmp_path, gwas, loci, ("png", "pdf"))
    assert "no variant was tested" in texts(figure)
    assert (tmp_path / "m.pdf").stat().st_size > 1000


def test_rows_without_p_and_infinite_ones(tmp_path):
    gwas = write_gwas(tmp_path, 1, 300, hits=5, top=20)
    table = pd.read_parquet(gwas["1"])
    strongest = table["log10p_manova"].idxmax()
    table.loc[[0, 1], "log10p_manova"] = np.nan
    table.loc[strongest, "log10p_manova"] = np.inf
    table.to_parquet(gwas["1"])
    figure = draw(tmp_path, gwas, write_loci(tmp_path, gwas, 0))
    heights = np.concatenate([line.get_ydata() for line in lines(figure, "variants")])
    assert np.isfinite(heights).all()
    assert (heights > 7.3).sum() == 5
    assert "298 variants" in texts(figure)


@pytest.mark.parametrize("as_file", [True, False])
def test_planted_variants(tmp_path, as_file):
    gwas = write_gwas(tmp_path, 2, 300, hits=2)
    kinds = ["planted", "planted", "polygenic", "planted", "gene"]
    latents = ["disc", "cup", "disc", "disc", "cup"]
    truth = pd.DataFrame({"kind": kinds, "chrom": ["1", "2", "1", "9", "1"], "pos": 1000, "latent": latents})
    if as_file:
        truth.to_csv(tmp_path / "truth.tsv", sep="\t", index=False)
    figure = draw(tmp_path, gwas, write_loci(tmp_path, gwas, 1), truth=tmp_path / "truth.tsv" if as_file else truth)
    marks = {line.get_label(): len(line.get_xdata()) for line in lines(figure, "planted")}
    assert marks == {"cup": 1, "disc": 1}  # the other rows are not planted, or not on a chromosome that is drawn


def test_a_feature_may_be_the_test(tmp_path):
    gwas = write_gwas(tmp_path, 2, 300, hits=2)
    settings = {"test": "E1", "p1": P1}
    figure = manhattan(gwas, write_loci(tmp_path, gwas, 0), settings, [tmp_path / "m.png"], title="contig")
    assert "feature E1, 600 variants" in texts(figure)
    assert "over all features" not in texts(figure)
    assert figure.axes[0].get_ylabel().startswith("−log₁₀ p, E1")
    heights = np.concatenate([line.get_ydata() for line in lines(figure, "variants")])
    everything = np.concatenate([pd.read_parquet(path)["log10p_E1"] for path in gwas.values()])
    np.testing.assert_allclose(np.sort(heights)[-4:], np.sort(everything)[-4:])


def test_bad_input(tmp_path):
    gwas = write_gwas(tmp_path, 1, 50, hits=1)
    loci = write_loci(tmp_path, gwas, 1)
    with pytest.raises(UserError, match="no column log10p_acat"):
        manhattan(gwas, loci, {"test": "acat", "p1": P1}, [tmp_path / "m.png"], title="")
    with pytest.raises(UserError, match=r"loci\.tsv has loci on chromosome 1, which has no GWAS"):
        draw(tmp_path, {"2": gwas["1"]}, loci)
    with pytest.raises(UserError, match="does not exist"):
        draw(tmp_path, {"1": tmp_path / "chr7.parquet"}, loci)
    assert not list(tmp_path.glob("*.png"))
