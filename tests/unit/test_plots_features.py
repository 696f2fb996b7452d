"""Manhattan plots of single features: which are chosen, what is labelled, and the index of them."""

import numpy as np
import pandas as pd
import pytest

from contigwas.plots import manhattan
from contigwas.plots.features import choose_features, feature_plots, safe_file_name
from contigwas.plots.inflation import inflation
from contigwas.plots.lead_variants import read_leads
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table
from tests.unit.plots_data import P1, write_gwas, write_loci, write_summary

SETTINGS = {"features": None, "p1": P1}


def summaries(folder, gwas):
    tests = ("E1", "E2", "manova")
    tables = {chrom: pd.read_parquet(path) for chrom, path in gwas.items()}
    return [
        write_summary(folder / f"{chrom}.summary.parquet", {name: table[f"log10p_{name}"] for name in tests})
        for chrom, table in tables.items()
    ]


@pytest.fixture
def study(tmp_path):
    gwas = write_gwas(tmp_path, 6, 300, hits=2, top=20)
    return tmp_path, gwas, summaries(tmp_path, gwas)


def test_the_best_features_of_the_loci(study):
    folder, gwas, histograms = study
    loci = write_loci(folder, gwas, 5, genes="GENE1,GENE2")
    table = pd.read_csv(loci, sep="\t").assign(best_feature="E1")
    table.to_csv(loci, sep="\t", index=False)
    index = feature_plots(gwas, histograms, loci, SETTINGS, folder / "features", "contig")
    assert index["feature"].tolist() == ["E1"]
    assert {one.name for one in (folder / "features").iterdir()} == {"index.tsv", "1_E1.png", "1_E1.pdf"}
    # E1 has 0.9 times the -log10 p of the test, which not all leads keep above the threshold
    assert index["loci"].tolist() == [int((0.9 * table["log10p"] >= -np.log10(P1)).sum())]
    assert index["lambda"][0] == pytest.approx(inflation(histograms, ["E1"])["E1"].value)
    assert index["interval"].tolist() == ["jackknife"]
    assert read_table(folder / "features" / "index.tsv")["feature"].tolist() == ["E1"]
    assert not list(folder.glob(".*tmp*"))


def test_features_whose_names_are_numbers(study):
    folder, gwas, histograms = study
    loci = write_loci(folder, gwas, 3)
    pd.read_csv(loci, sep="\t").assign(best_feature=["30130", "21003", ""]).to_csv(loci, sep="\t", index=False)
    assert set(choose_features(None, ["21003", "30130", "50"], read_leads(loci), histograms)) == {"21003", "30130"}


def test_what_is_drawn(study, monkeypatch):
    folder, gwas, histograms = study
    drawn = []
    monkeypatch.setattr("contigwas.plots.features.draw", lambda *arguments, **rest: drawn.append((arguments, rest)))
    loci = write_loci(folder, gwas, 12, genes="GENE1")
    feature_plots(gwas, histograms, loci, {**SETTINGS, "features": "all"}, folder / "features", "contig")
    assert [arguments[2] for arguments, _ in drawn] == ["E1", "E2"]
    leads, every = drawn[0][0][1], read_leads(loci)
    reached = every[0.9 * every["log10p"] >= -np.log10(P1)]
    assert leads["pos"].tolist() == reached["pos"].tolist()
    np.testing.assert_allclose(leads["log10p"], 0.9 * reached["log10p"], rtol=1e-5)
    assert drawn[1][0][1].empty, "E2 reaches it at no lead"
    assert drawn[0][1]["detail"] == str(inflation(histograms, ["E1"])["E1"])
    assert drawn[0][1]["tested"] == 1800


def test_p_values_that_are_not_stored(study):
    folder, gwas, histograms = study
    table = pd.read_parquet(gwas["1"])
    table.loc[table["log10p_E1"] < 1, "log10p_E1"] = np.nan
    stored = int(table["log10p_E1"].notna().sum())
    table.to_parquet(gwas["1"])
    one, leads = {"1": gwas["1"]}, read_leads(write_loci(folder, gwas, 0))
    figure = manhattan.draw(one, leads, "E1", P1, [folder / "m.png"], "contig", tested=300)
    assert f"{stored} of 300 variants stored" in " ".join(text.get_text() for text in figure.texts)
    for path in gwas.values():
        pd.read_parquet(path).drop(columns=["log10p_E1", "log10p_E2"]).to_parquet(path)
    loci = write_loci(folder, gwas, 3)
    assert feature_plots(gwas, histograms, loci, SETTINGS, folder / "features", "contig").empty
    with pytest.raises(UserError, match="plots.features: E1 has no p-values in this GWAS"):
        feature_plots(gwas, histograms, loci, {**SETTINGS, "features": ["E1"]}, folder / "features", "contig")


def test_without_loci_those_of_the_smallest_p(tmp_path):
    rng = np.random.default_rng(1)
    values = {f"F{number}": np.append(rng.random(20), 3 + number % 9) for number in range(9)}
    path = write_summary(tmp_path / "s.parquet", {**values, "manova": np.array([50.0])})
    leads = pd.DataFrame({"best_feature": [], "log10p": []})
    assert choose_features(None, list(values), leads, [path]) == ["F8", "F7", "F6", "F5", "F4"]


def test_the_strongest_loci_first_and_twenty_at_most():
    there = [f"F{number}" for number in range(30)]
    leads = pd.DataFrame({"best_feature": [*there, "F29", "gone"], "log10p": [*range(10, 40), 5, 99]})
    assert choose_features(None, there, leads, []) == there[:9:-1]


def test_named_features():
    assert choose_features(["B", "A", "B"], ["A", "B", "C"], pd.DataFrame(), []) == ["B", "A"]
    assert choose_features("all", ["A", "B"], pd.DataFrame(), []) == ["A", "B"]
    assert choose_features([], ["A"], pd.DataFrame(), []) == []
    with pytest.raises(UserError, match="plots.features: PC11 .*; did you mean PC1"):
        choose_features(["PC11"], ["PC1", "X"], pd.DataFrame(), [])
    with pytest.raises(UserError, match="the GWAS has A, B"):
        choose_features(["zzz"], ["A", "B"], pd.DataFrame(), [])


def test_names_of_files():
    assert safe_file_name("a/b c:d-1.2") == "a_b_c_d-1.2"
    assert len(safe_file_name("x" * 300)) == 60
