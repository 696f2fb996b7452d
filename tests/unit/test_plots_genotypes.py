"""Figures of quality control: what they show is what the tables hold."""

import numpy as np
import pandas as pd
import pytest

from contigwas.files import write_tsv
from contigwas.plots.genotypes import plot_call_rate, plot_genotypes, plot_hwe, plot_kinship, plot_pcs
from tests.plink_files import iids

NAMES = iids(200)
SETTINGS = {"call_rate": 0.95, "person_call_rate": 0.9, "hwe": 1e-6, "max_kinship": 0.0884}


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(1)
    for chrom in range(1, 23):
        table = pd.DataFrame({"call_rate": 1 - rng.exponential(0.01, 100), "hwe_p": rng.random(100), "reason": ""})
        table.loc[0, ["hwe_p", "reason"]] = [1e-30, "hwe"]
        table.loc[1, ["hwe_p", "reason"]] = [1e-40, "maf"]
        table.to_parquet(tmp_path / f"v{chrom}.parquet")
    people = pd.DataFrame({"iid": NAMES, "call_rate": 1 - rng.exponential(0.02, 200), "kept": True})
    people.to_parquet(tmp_path / "people.parquet")
    pcs = pd.DataFrame(rng.normal(size=(200, 4)), columns=[f"PC{k}" for k in range(1, 5)])
    pcs.iloc[7] = np.nan
    pcs.assign(iid=NAMES).to_parquet(tmp_path / "pcs.parquet")
    pd.DataFrame({"iid1": NAMES[:30], "iid2": NAMES[30:60], "kinship": rng.uniform(0.09, 0.5, 30)}).to_parquet(
        tmp_path / "kinship.parquet"
    )
    cohort = {"fid": NAMES, "iid": NAMES, "sex": 0, "family": "f", "fold": 0, "in_gwas": 1, "untested": ""}
    excluded = ["ancestry"] * 20 + [""] * 180
    write_tsv(pd.DataFrame(cohort).assign(excluded=excluded), tmp_path / "cohort.tsv")
    return tmp_path, [tmp_path / f"v{chrom}.parquet" for chrom in range(1, 23)]


def test_call_rate(study):
    folder, variants = study
    figure = plot_call_rate(variants, folder / "people.parquet", SETTINGS, [folder / "c.png"])
    rates = np.concatenate([pd.read_parquet(path)["call_rate"] for path in variants])
    shown = figure.axes[0].lines[0]
    for place, share in zip(shown.get_xdata()[1:], shown.get_ydata()[1:], strict=True):
        assert share == pytest.approx((1 - rates <= place + 1e-12).mean(), abs=1e-6)
    assert f"{(rates < 0.95).sum()} of them" in figure.axes[0].texts[0].get_text()
    assert figure.axes[1].get_title(loc="left") == "200 people"


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


def test_components(study):
    folder, _ = study
    figure = plot_pcs(folder / "pcs.parquet", folder / "cohort.tsv", [folder / "p.png"])
    names = [line.get_label() for line in figure.axes[0].lines]
    assert names == ["in the cohort (180)", "ancestry (19)"]
    groups = pd.Series(np.resize(["one", "two"], 200), NAMES)
    figure = plot_pcs(folder / "pcs.parquet", None, [folder / "p.png"], groups)
    assert [line.get_label() for line in figure.axes[1].lines] == ["one (100)", "two (99)"]
    pd.read_parquet(folder / "pcs.parquet")[["iid", "PC1"]].to_parquet(folder / "one.parquet")
    assert (
        "fewer than two"
        in plot_pcs(folder / "one.parquet", None, [folder / "p.png"], groups).axes[0].texts[0].get_text()
    )


@pytest.mark.parametrize("pairs", [0, 30])
def test_kinship(study, pairs):
    folder, _ = study
    pd.read_parquet(folder / "kinship.parquet").iloc[:pairs].to_parquet(folder / "k.parquet")
    figure = plot_kinship(folder / "k.parquet", 0.0884, 200, [folder / "k.png"])
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == pairs
    assert f"{pairs} pairs of relatives among 200 people" in figure.axes[0].get_title(loc="left")


def test_all(study):
    folder, variants = study
    outputs = [folder / "plots" / f"{number}.{kind}" for number in range(4) for kind in ("png", "pdf")]
    tables = [folder / f"{name}.parquet" for name in ("people", "pcs", "kinship")]
    plot_genotypes(variants, *tables, folder / "cohort.tsv", SETTINGS, outputs)
    assert all(path.stat().st_size > 3000 for path in outputs)
