"""Figures of quality control: what they show is what the tables hold."""

import numpy as np
import pandas as pd
import pytest

from contigwas.plots.genotypes import plot_call_rate, plot_genotypes, plot_hwe, plot_kinship, plot_pcs
from contigwas.runtime.atomic_files import write_tsv
from tests.plink_files import iids

NAMES = iids(200)
SETTINGS = {"call_rate": 0.95, "sample_call_rate": 0.9, "hwe": 1e-6, "max_kinship": 0.0884}


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(1)
    for chrom in range(1, 23):
        table = pd.DataFrame({"call_rate": 1 - rng.exponential(0.01, 100), "hwe_p": rng.random(100), "reason": ""})
        table.loc[0, ["hwe_p", "reason"]] = [1e-30, "hwe"]
        table.loc[1, ["hwe_p", "reason"]] = [1e-40, "maf"]
        table.to_parquet(tmp_path / f"v{chrom}.parquet")
    samples = pd.DataFrame({"iid": NAMES, "call_rate": 1 - rng.exponential(0.02, 200), "kept": True})
    samples.to_parquet(tmp_path / "samples.parquet")
    pcs = pd.DataFrame(rng.normal(size=(200, 4)), columns=[f"PC{k}" for k in range(1, 5)])
    pcs.iloc[7] = np.nan
    pcs.assign(iid=NAMES).to_parquet(tmp_path / "pcs.parquet")
    pd.DataFrame({"iid1": NAMES[:30], "iid2": NAMES[30:60], "kinship": rng.uniform(0.09, 0.5, 30)}).to_parquet(
        tmp_path / "kinship.parquet"
    )
    cohort = {"fid": NAMES, "iid": NAMES, "sex": 0, "family": "f", "fold": 0, "gwas_included": 1, "gwas_exclusion": ""}
    excluded = ["ancestry"] * 20 + [""] * 180
    write_tsv(pd.DataFrame(cohort).assign(exclusion=excluded), tmp_path / "cohort.tsv")
    return tmp_path, [tmp_path / f"v{chrom}.parquet" for chrom in range(1, 23)]


def test_call_rate(study):
    folder, variants = study
    figure = plot_call_rate(variants, folder / "samples.parquet", SETTINGS, [folder / "c.png"])
    rates = np.concatenate([pd.read_parquet(path)["call_rate"] for path in variants])
    shown = figure.axes[0].lines[0]
    for place, share in zip(shown.get_xdata()[1:], shown.get_ydata()[1:], strict=True):
        assert share == pytest.approx((1 - rates <= place + 1e-12).mean(), abs=1e-6)
    assert f"{(rates < 0.95).sum()} of them" in figure.axes[0].texts[0].get_text()
    assert figure.axes[1].get_title(loc="left") == "200 samples"


def test_hwe(study):
    folder, variants = study
    figure = plot_hwe(variants, 1e-6, [folder / "h.png"])
    assert figure.axes[0].texts[0].get_text().startswith("22 of 2,178 variants below")
    highest = figure.axes[0].lines[1].get_ydata().max()
    assert highest == figure.axes[0].get_ylim()[1]
    nothing = pd.DataFrame({"hwe_p": [np.nan], "reason": ["call rate"]})
    nothing.to_parquet(folder / "none.parquet")
    assert (
        plot_hwe([folder / "none.parquet"], 1e-6, [folder / "h.png"]).axes[0].texts[0].get_text()
        == "no variant was tested"
    )


def test_samples_who_miss_calls_are_neither_seen_nor_counted_where_they_are_few(study):
    folder, variants = study
    rng = np.random.default_rng(2)
    rates = 1 - rng.uniform(0.01, 0.05, 200)
    rates[:3] = [0.5, 0.6, 0.8]
    pd.DataFrame({"iid": NAMES, "call_rate": rates, "kept": True}).to_parquet(folder / "samples.parquet")
    axis = plot_call_rate(variants, folder / "samples.parquet", SETTINGS, [folder / "c.png"]).axes[1]
    assert axis.texts[0].get_text() == "fewer than 5 of them\nmiss more"
    places, shares = axis.lines[0].get_xdata()[1:], axis.lines[0].get_ydata()[1:]
    ordered = np.sort(1 - rates)
    ends = np.round(200 * shares).astype(int)
    assert np.diff([0, *ends]).min() >= 5 and ends[-1] == 200
    for start, end, place in zip([0, *ends[:-1]], ends, places, strict=True):
        assert place == pytest.approx(ordered[start:end].mean())
    assert not np.isin(places, ordered).any()


def names(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_components(study):
    """Hexagons of five samples of a group or more; who is of a rare group is not seen, and nobody is counted."""
    folder, _ = study
    rng = np.random.default_rng(3)
    pcs = pd.DataFrame(rng.normal(size=(200, 4)), columns=[f"PC{k}" for k in range(1, 5)])
    pcs.iloc[:20] = pcs.iloc[:20] / 10 + 6
    pcs.iloc[20:23] = pcs.iloc[20:23] / 10 - 5
    pcs.iloc[7] = np.nan
    pcs.assign(iid=NAMES).to_parquet(folder / "pcs.parquet")
    cohort = pd.read_csv(folder / "cohort.tsv", sep="\t", dtype={"iid": str}).fillna("")
    cohort.loc[20:22, "exclusion"] = "sex"
    write_tsv(cohort, folder / "cohort.tsv")
    figure = plot_pcs(folder / "pcs.parquet", folder / "cohort.tsv", [folder / "p.png"])
    assert names(figure) == ["in the cohort", "ancestry"]
    inside, ancestry = pcs.iloc[23:], pcs.iloc[:20].dropna()
    for axis, pair in zip(figure.axes, (["PC1", "PC2"], ["PC3", "PC4"]), strict=True):
        assert not axis.lines and len(axis.collections) == 2
        for hexagons, samples in zip(axis.collections, (inside, ancestry), strict=True):
            for centre in hexagons.get_offsets():
                here = hexagons.get_paths()[0].contains_points(samples[pair].to_numpy() - centre)
                assert here.sum() >= 4, "points on an edge may count next door"
        assert pcs[pair[0]].min() < axis.get_xlim()[0], "the edge is beside the three"
    groups = pd.Series(np.repeat(["one", "two"], 100), NAMES)
    figure = plot_pcs(folder / "pcs.parquet", None, [folder / "p.png"], groups)
    assert names(figure) == ["two", "one"]
    few = pd.read_parquet(folder / "pcs.parquet").iloc[:4]
    few.to_parquet(folder / "few.parquet")
    axis = plot_pcs(folder / "few.parquet", folder / "cohort.tsv", [folder / "p.png"]).axes[0]
    assert [text.get_text() for text in axis.texts] == ["no hexagon of 5 samples"] and not axis.collections
    pd.read_parquet(folder / "pcs.parquet")[["iid", "PC1"]].to_parquet(folder / "one.parquet")
    assert (
        "fewer than two"
        in plot_pcs(folder / "one.parquet", None, [folder / "p.png"], groups).axes[0].texts[0].get_text()
    )


def bars(figure):
    return [(round(bar.get_height()), bar.get_facecolor()) for bar in figure.axes[0].patches if bar.get_height()]


@pytest.mark.parametrize("pairs", [0, 1000])
def test_kinship(study, pairs):
    folder, _ = study
    values = np.repeat([0.1, 0.24, 0.26, 0.49], pairs // 4)
    pd.DataFrame({"kinship": values}).to_parquet(folder / "k.parquet")
    figure = plot_kinship(folder / "k.parquet", 0.0884, 200, [folder / "k.png"])
    assert sum(height for height, _ in bars(figure)) == pairs
    assert f"{pairs:,} pairs of relatives among 200 samples" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("few", [1, 2, 3, 4])
def test_few_relatives_are_not_counted(study, few):
    """Bars of 1 to 4 pairs look alike, and the number in the title goes with the others."""
    folder, _ = study
    pd.DataFrame({"kinship": [0.25] * 50 + [0.495] * few + [0.1]}).to_parquet(folder / "k.parquet")
    figure = plot_kinship(folder / "k.parquet", 0.0884, 200, [folder / "k.png"])
    assert sorted(height for height, _ in bars(figure)) == [4, 4, 50]
    assert "at least 52 pairs" in figure.axes[0].get_title(loc="left")
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "1 to 4 pairs"


def test_all(study):
    folder, variants = study
    outputs = [folder / "plots" / f"{number}.{kind}" for number in range(4) for kind in ("png", "pdf")]
    tables = [folder / f"{name}.parquet" for name in ("samples", "pcs", "kinship")]
    plot_genotypes(variants, *tables, folder / "cohort.tsv", SETTINGS, outputs)
    assert all(path.stat().st_size > 3000 for path in outputs)
