"""The figures of explanations, and the private pages of single samples."""

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from explaining import SETTINGS, trained
from matplotlib.collections import PathCollection
from plots_data import P1, write_gwas, write_loci

from contigwas.explain import network
from contigwas.explain.genome import genome
from contigwas.explain.network import at_once
from contigwas.explain.single_samples import _slice, explain_samples
from contigwas.explain.top import label, top
from contigwas.plots import style
from contigwas.plots.montage import shown
from contigwas.pretrain.networks import ResidualNetwork
from contigwas.pretrain.pretrained import read_checkpoint
from contigwas.samples.cohort import read_included
from contigwas.tables.anndata_io import write_modality

CHROMOSOMES, EACH = 3, 400
INDEL = "12:123456789:" + 2 * "ACGTACGTACGT" + "A:T"


def write_features(folder, methods=("integrated_gradients", "deeplift"), placed=True):
    """Write features.parquet and modalities.tsv of SNPs, genes and scores."""
    rng = np.random.default_rng(0)
    snps = pd.DataFrame({"chrom": np.repeat(["1", "2", "3"], EACH), "pos": np.tile(np.arange(EACH) * 12_000 + 1, 3)})
    snps["feature"] = snps["name"] = [f"rs{number}" for number in range(len(snps))]
    genes = snps.iloc[::60].assign(
        feature=lambda rows: "G" + rows["feature"] + ".lof", name=lambda rows: "G" + rows["name"]
    )
    scores = pd.DataFrame({"feature": ["S1", "S2"], "name": ["height", "S2"], "chrom": "", "pos": 0})
    parts = []
    for method in methods:
        for modality, part in (("snps", snps), ("burden", genes), ("pgs", scores)):
            size = rng.exponential(0.02, len(part))
            figures = {"mean_abs": size, "low": 0.8 * size, "high": 1.2 * size, "mean": 0.0, "n_samples": 50}
            parts.append(part.assign(method=method, modality=modality, **figures))
    table = pd.concat(parts, ignore_index=True)
    if not placed:
        table["chrom"], table["pos"] = "", 0
    table.to_parquet(folder / "features.parquet")
    sums = table.groupby(["method", "modality"], as_index=False).agg(
        sum_abs=("mean_abs", "sum"), features=("feature", "size")
    )
    sums.to_csv(folder / "modalities.tsv", sep="\t", index=False)
    return table, folder / "features.parquet", folder / "modalities.tsv"


@pytest.fixture
def drawn(tmp_path):
    table, features, _ = write_features(tmp_path)
    gwas = write_gwas(tmp_path, CHROMOSOMES, 500, hits=2)
    loci = write_loci(tmp_path, gwas, 4)
    truth = tmp_path / "truth.tsv"
    truth.write_text("kind\tchrom\tpos\tlatent\nplanted\t1\t1000\tcup\nplanted\t2\t9000\tdisc\n")
    outputs = [tmp_path / "genome.png", tmp_path / "genome.pdf"]
    settings = {"test": "manova", "p1": P1, "kb": 100}
    return table, loci, genome(features, gwas, loci, settings, outputs, "contig", truth), outputs


def test_attributions_lie_above_the_gwas_on_one_axis(drawn):
    table, loci, figure, outputs = drawn
    assert all(path.stat().st_size > 10_000 for path in outputs)
    *panels, manhattan = figure.axes
    assert len(panels) == 2 and all(axis.get_xlim() == manhattan.get_xlim() for axis in panels)
    assert panels[0].get_position().y0 > panels[1].get_position().y0 > manhattan.get_position().y0
    leads = pd.read_csv(loci, sep="\t", dtype={"chrom": str})
    for axis, method in zip(panels, ("integrated_gradients", "deeplift"), strict=True):
        points = {one.get_gid(): one for one in axis.collections if isinstance(one, PathCollection) and one.get_gid()}
        assert set(points) == {"snps", "burden"}, "scores have no position"
        here = table[(table["method"] == method) & (table["modality"] == "snps")]
        assert points["snps"].get_offsets()[:, 1].max() == pytest.approx(here["mean_abs"].max())
        near = np.zeros(len(here), dtype=bool)
        for lead in leads.itertuples():
            near |= ((here["chrom"] == lead.chrom) & ((here["pos"] - lead.pos).abs() <= 100_000)).to_numpy()
        red = np.all(np.isclose(points["snps"].get_facecolors()[:, :3], _rgb(style.HIT)), axis=1)
        assert red.sum() == near.sum() > 0, "each feature near a lead variant is drawn in red"
        assert sum(line.get_gid() == "lead" for line in axis.lines) == 4
    (planted,) = [line for line in manhattan.lines if line.get_gid() == "planted"]
    assert len(planted.get_xdata()) == 2


def _rgb(color):
    return [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]


def test_a_model_without_positions_says_so(tmp_path):
    _, features, _ = write_features(tmp_path, methods=("deeplift",), placed=False)
    gwas = write_gwas(tmp_path, 1, 200)
    settings = {"test": "manova", "p1": P1, "kb": 100}
    figure = genome(features, gwas, write_loci(tmp_path, gwas, 0), settings, [tmp_path / "a.png"], "contig")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "no modality of this model has genomic positions" in texts


def test_the_strongest_features_of_each_modality(tmp_path):
    table, features, modalities = write_features(tmp_path)
    figure = top(features, modalities, [tmp_path / "top.png", tmp_path / "top.pdf"], "contig")
    assert [axis.get_title(loc="left").split(":")[0] for axis in figure.axes] == ["snps", "burden", "pgs"]
    for axis, modality in zip(figure.axes, ("snps", "burden", "pgs"), strict=True):
        here = table[(table["modality"] == modality) & (table["method"] == "integrated_gradients")]
        expected = here.nlargest(12, "mean_abs")
        shown = [one.get_text() for one in axis.get_yticklabels()]
        assert shown == [label(*pair) for pair in zip(expected["feature"], expected["name"], strict=True)]
        line = axis.containers[0].lines[0]
        np.testing.assert_allclose(np.asarray(line.get_xdata(), float), expected["mean_abs"])
    assert label("S1", "height") == "height (S1)" and label("S2", "S2") == "S2"


@pytest.mark.parametrize(("feature", "name", "expected"), [
    (INDEL, INDEL, "12:1234567…ACGTACGTA:T"),
    ("ENSG00000130203.canonical_lof.af0.0010", "APOE", "APOE (ENSG000001…of.af0.0010)"),
    ("PGS000001", "waist circumference at the age of 60", "waist circumference a… (PGS000001)"),
    ("ENSG00000130203.canonical_lof.af0.0010", "a gene with a long name", "a gene w… (ENSG000001…of.af0.0010)"),
])  # fmt: skip
def test_long_names_are_shortened(feature, name, expected):
    assert len(feature) in (9, 38, 40) and len(expected) <= 34
    assert label(feature, name) == expected


def test_the_number_of_images_per_pass_depends_on_their_size():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert at_once((3, 32, 32), cpu, gradients=False) == at_once((3, 32, 32), cpu, gradients=True) == 64
    assert at_once((3, 448, 448), cpu, gradients=False) == 20 and at_once((3, 448, 448), cpu, gradients=True) == 1
    assert at_once((3, 448, 448), gpu, gradients=True) == 20
    assert at_once((1, 160, 160, 160), cpu, gradients=False) == at_once((1, 160, 160, 160), cpu, gradients=True) == 1


def test_the_number_of_images_per_pass_is_limited_by_pixels(tmp_path, monkeypatch):
    checkpoint, files = trained(tmp_path, epochs=1)
    passed, forward = [], ResidualNetwork.forward

    def watched(self, images):
        passed.append((torch.is_grad_enabled(), len(images)))
        return forward(self, images)

    monkeypatch.setattr(ResidualNetwork, "forward", watched)
    monkeypatch.setattr(network, "PIXELS", {"cpu": 32 * 32 * 32, "cuda": 32 * 32 * 32})
    explain_samples([checkpoint], files, SETTINGS | {"private": 1, "steps": 8}, tmp_path / "a.tsv", tmp_path / "a.pdf")
    assert max(images for kept, images in passed if not kept) == 32
    assert max(images for kept, images in passed if kept) == 2


def test_volumes_are_oriented_as_in_the_other_figures():
    """The slice with the largest attributions and its map, with anterior at the top."""
    levels, attributions = np.random.default_rng(0).random((2, 1, 6, 5, 4))
    attributions[0, 4] *= 9
    picture, mapped = _slice(levels, attributions)
    np.testing.assert_array_equal(picture, shown(np.moveaxis(levels, 0, -1)[4:5]))
    np.testing.assert_array_equal(picture[0, :, 0], levels[0, 4, -1])
    np.testing.assert_array_equal(mapped, attributions[0, 4, ::-1])


def test_pages_name_features_of_a_recomputed_file(tmp_path):
    checkpoint, files = trained(tmp_path, epochs=1)
    data, found = ad.read_h5ad(files.modalities["pgs"]), {}
    for name in ("before", "after"):
        outputs = tmp_path / f"{name}.tsv", tmp_path / f"{name}.pdf"
        explain_samples([checkpoint], files, SETTINGS | {"private": 1, "steps": 4}, *outputs)
        table = pd.read_csv(outputs[0], sep="\t")
        found[name] = table[(table["modality"] == "pgs") & (table["method"] == "deeplift")].set_index("feature")
        names, values = ["another", *data.var_names[1:]], np.asarray(data.X).copy()
        write_modality(tmp_path / "pgs.h5ad", values[:, ::-1], data.obs_names, pd.DataFrame(index=names[::-1]), {})
        files = replace(files, modalities={**files.modalities, "pgs": tmp_path / "pgs.h5ad"})
    assert set(found["before"].index) == {f"pgs{number}" for number in range(5)}
    assert set(found["after"].index) == {f"pgs{number}" for number in range(1, 5)}
    here = found["after"]["attribution"]
    assert np.corrcoef(here, found["before"].loc[here.index, "attribution"])[0, 1] > 0.5


def test_fewer_pages_than_requested_are_reported(tmp_path, caplog):
    checkpoint, files = trained(tmp_path, samples=90, epochs=1)
    outputs = tmp_path / "a.tsv", tmp_path / "a.pdf"
    explain_samples([checkpoint], files, SETTINGS | {"private": 20, "steps": 2, "reference": 18}, *outputs)
    pages = pd.read_csv(outputs[0], sep="\t")["iid"].nunique()
    assert pages < 20 and f"{pages} samples get a page, fewer than its share of 20 of explain.private" in caplog.text


def test_pages_of_single_samples(tmp_path):
    checkpoint, files = trained(tmp_path, epochs=1)
    outputs = [tmp_path / "private" / "explanations" / "contig" / name for name in ("features.tsv", "pages.pdf")]
    settings = SETTINGS | {"private": 3, "steps": 8}
    explain_samples([checkpoint], files, settings, *outputs)
    table = pd.read_csv(outputs[0], sep="\t", dtype={"iid": str})
    assert table["iid"].nunique() == 3 and set(table["iid"]) <= set(read_included(files.cohort)["iid"])
    for (_, _, modality), part in table.groupby(["iid", "method", "modality"]):
        assert part["attribution"].is_monotonic_decreasing
        used = read_checkpoint(checkpoint)["features"][modality]
        assert len(part) == min(20, len(used)) and part["feature"].is_unique and set(part["feature"]) <= set(used)
    assert outputs[1].read_bytes().count(b"/Type /Page ") == 3
    for folder in (tmp_path / "private", outputs[0].parent):
        assert folder.stat().st_mode & 0o777 == 0o700
    first = [path.read_bytes() for path in outputs]
    explain_samples([checkpoint], files, settings, *outputs)
    assert [path.read_bytes() for path in outputs] == first
