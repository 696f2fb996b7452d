"""Regional plots: the window, r2 by the double loop of a textbook, genes that do not touch, files by rank."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from contigwas.loci.genes import read_genes
from contigwas.plots import gene_rows, style
from contigwas.plots.lead_variants import read_leads
from contigwas.plots.recombination import read_map
from contigwas.plots.region import Regions
from contigwas.plots.regional import MOST_LOCI, STEPS, colours, draw, effect, p_of, regional
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table
from tests.plink_files import iids, simulate, write_plink
from tests.unit.plots_data import write_loci

SAMPLES, VARIANTS = 120, 400
BASE = {"test": "manova", "regional_kb": 50, "genes": None, "genes_build": None, "recombination": None}
BASE["build"] = "GRCh37"


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Genotypes of two chromosomes in LD blocks of ten, GWAS of them, and a cohort of whom a quarter is not tested."""
    folder, rng = tmp_path_factory.mktemp("regional"), np.random.default_rng(1)
    gwas, dosages = {}, {}
    for chrom in ("1", "2"):
        dosages[chrom] = simulate(rng, SAMPLES, VARIANTS, missing=0.02, blocks=10)
        write_plink(folder / f"g{chrom}.bed", dosages[chrom], iids(SAMPLES), chrom)
        table = pd.DataFrame({"chrom": chrom, "pos": (1000 * np.arange(1, VARIANTS + 1)).astype(np.int32)})
        table["id"] = [f"rs{chrom}_{number}" for number in range(VARIANTS)]
        table["effect_allele"], table["other_allele"] = "A", "G"
        for name in ("E1", "E2"):
            table[f"beta_{name}"], table[f"se_{name}"] = np.float32(-0.2), np.float32(0.03)
            table[f"log10p_{name}"] = rng.exponential(1, VARIANTS).astype(np.float32)
        table["log10p_manova"] = rng.exponential(1, VARIANTS).astype(np.float32)
        table.loc[[7, 205], "log10p_manova"] = np.float32(np.nan), np.float32(30 + int(chrom))
        gwas[chrom] = folder / f"chr{chrom}.parquet"
        table.to_parquet(gwas[chrom], index=False, row_group_size=50)
    tested = np.arange(SAMPLES) % 4 != 0
    write_tsv(pd.DataFrame({"iid": iids(SAMPLES), "gwas_included": tested.astype(int)}), folder / "cohort.tsv")
    return {"folder": folder, "gwas": gwas, "dosages": dosages, "tested": tested, "pattern": f"{folder}/g{{chrom}}.bed"}


def run(study, count, tmp_path, **changes):
    loci = write_loci(tmp_path, study["gwas"], count, genes="GENE1,GENE2")
    cohort, out = study["folder"] / "cohort.tsv", tmp_path / "regional"
    return regional(study["gwas"], loci, study["pattern"], cohort, {**BASE, **changes}, out, "contig"), out


def test_a_png_and_a_pdf_a_locus_by_rank(study, tmp_path):
    index, out = run(study, 2, tmp_path)
    assert index["name"].tolist() == ["01_locus2_chr2_206000", "02_locus1_chr1_206000"]
    assert index["chrom"].tolist() == ["2", "1"], "the strongest first"
    names = [f"{name}.{suffix}" for name in index["name"] for suffix in ("png", "pdf")]
    assert {one.name for one in out.iterdir()} == {*names, "index.tsv"}
    assert all((out / name).stat().st_size > 5000 for name in names)
    assert read_table(out / "index.tsv")["lead_id"].tolist() == ["rs2_205", "rs1_205"]
    assert index["samples_r2"].tolist() == [90, 90]
    assert not list(tmp_path.glob(".*tmp*"))


def test_the_window_and_r2_with_the_lead(study, tmp_path):
    loci = write_loci(tmp_path, study["gwas"], 2)
    lead = read_leads(loci).query("chrom == '2'").iloc[0]
    regions = Regions("2", study["gwas"]["2"], study["pattern"], study["folder"] / "cohort.tsv", "GRCh37", "manova")
    region = regions.around(lead, loci, 20_000)
    expected = np.arange(185, 226)
    np.testing.assert_array_equal(region.pos, 1000 * (expected + 1))
    table = pd.read_parquet(study["gwas"]["2"])
    np.testing.assert_allclose(region.y, table["log10p_manova"][expected])
    assert (region.pos[region.lead], region.samples) == (206_000, 90)
    samples = study["dosages"]["2"][study["tested"]]
    for place, variant in enumerate(expected):
        assert region.r2[place] == pytest.approx(em_r2(samples[:, 205], samples[:, variant]), abs=2e-4)
    assert (region.r2[(expected >= 200) & (expected < 210)] > 0.6).all(), "its block"
    whole = regions.around(lead, loci, 10**6)
    assert len(whole.pos) == VARIANTS - 1, "the variant without a p is left out"


def em_r2(a, b):
    """r2 of haplotype frequencies by expectation and maximisation, sample by sample: the textbook's double loop."""
    both = [(x, y) for x, y in zip(a, b, strict=True) if x >= 0 and y >= 0]
    freq = dict.fromkeys(itertools.product((0, 1), repeat=2), 0.25)
    pairs = [(h, k) for h in freq for k in freq]
    for _ in range(300):
        count = dict.fromkeys(freq, 0.0)
        for x, y in both:
            fitting = [(h, k) for h, k in pairs if h[0] + k[0] == x and h[1] + k[1] == y]
            total = sum(freq[h] * freq[k] for h, k in fitting)
            for h, k in fitting:
                share = freq[h] * freq[k] / total
                count[h] += share
                count[k] += share
        new = {h: value / (2 * len(both)) for h, value in count.items()}
        change = max(abs(new[h] - freq[h]) for h in freq)
        freq = new
        if change < 1e-9:
            break
    p, q = freq[1, 0] + freq[1, 1], freq[0, 1] + freq[1, 1]
    return (freq[1, 1] - p * q) ** 2 / (p * (1 - p) * q * (1 - q))


def test_the_figure(study, tmp_path):
    genes = "".join(f"2 {1000 * k} {1000 * k + 4000} LONGNAME{k} {'+-'[k % 2]}\n" for k in range(100, 300, 3))
    (tmp_path / "genes.txt").write_text(genes + "1 1 900 ELSEWHERE\n")
    (tmp_path / "map.txt").write_text("chr pos rate\n2 1 3\n2 190000 60\n2 210000 1\n")
    loci = write_loci(tmp_path, study["gwas"], 2)
    lead = read_leads(loci).query("chrom == '2'").iloc[0]
    regions = Regions("2", study["gwas"]["2"], study["pattern"], study["folder"] / "cohort.tsv", "GRCh37", "E1")
    region = regions.around(lead, loci, 50_000)
    lead = lead.copy()
    lead["best_feature"], lead["beta"], lead["se"] = "E1", -0.2, 0.03
    near = read_genes(tmp_path / "genes.txt").query("chrom == '2'")
    figure = draw(
        region, lead, near, read_map(tmp_path / "map.txt", "2"), 50_000, "E1", "GRCh37", "m", [tmp_path / "r.png"]
    )
    axis, bottom = (one for one in figure.axes if one.get_ylabel() == "" or "E1" in one.get_ylabel())
    renderer = FigureCanvasAgg(figure).get_renderer()
    width, height = figure.canvas.get_width_height()
    names = [text for text in bottom.texts if text.get_gid() == "gene name"]
    boxes = [text.get_window_extent(renderer) for text in names]
    assert len(boxes) > 20
    assert not any(a.overlaps(b) for number, a in enumerate(boxes) for b in boxes[:number])
    assert any(text.get_text().startswith("← LONGNAME") for text in names)
    every = [*boxes, *(text.get_window_extent(renderer) for text in [*figure.texts, *axis.texts])]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height for box in every)
    words = " ".join(text.get_text() for text in figure.texts)
    assert "feature E1, 101 variants" in words
    assert "E1: β = −0.2 (SE 0.03) per A" in words
    (points,) = axis.collections
    assert len(points.get_offsets()) == 100, "all but the lead"
    (mark,) = [line for line in axis.lines if line.get_gid() == "lead"]
    assert mark.get_xdata()[0] == pytest.approx(0.206)
    (rate,) = [line for one in figure.axes for line in one.lines if line.get_gid() == "recombination"]
    assert rate.get_ydata().max() == 60


def test_no_locus_and_many(study, tmp_path):
    index, out = run(study, 0, tmp_path)
    assert index.empty
    assert [one.name for one in out.iterdir()] == ["index.tsv"]
    assert read_table(out / "index.tsv").columns[0] == "rank"


def test_only_the_strongest_are_drawn(study, tmp_path, monkeypatch):
    monkeypatch.setattr("contigwas.plots.regional.MOST_LOCI", 3)
    monkeypatch.setattr("contigwas.plots.regional.draw", lambda *arguments: None)
    index, _ = run(study, 7, tmp_path)
    every = np.concatenate([pd.read_parquet(path)["log10p_manova"].dropna() for path in study["gwas"].values()])
    np.testing.assert_allclose(index["log10p"], np.sort(every)[::-1][:3], rtol=1e-6)
    assert MOST_LOCI == 30


def test_a_failure_leaves_nothing(study, tmp_path):
    with pytest.raises(UserError, match=r"plots\.recombination"):
        run(study, 1, tmp_path, recombination=str(tmp_path / "absent.txt"))
    assert not (tmp_path / "regional").exists()
    assert not list(tmp_path.glob(".*tmp*"))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 80))
def test_genes_never_touch(seed, count):
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 1_000_000, count)
    genes = pd.DataFrame({"start": start, "end": start + rng.integers(10, 200_000, count)})
    genes["name"] = [f"G{'X' * rng.integers(1, 12)}{number}" for number in range(count)]
    genes["strand"] = rng.choice(["+", "-", ""], count)
    placed, left_out = gene_rows.arrange(genes, 300_000, 700_000, lead=500_000, width=5.0)
    inside = ((genes["end"] >= 300_000) & (genes["start"] <= 700_000)).sum()
    assert len(placed) + left_out == inside
    assert (placed["row"] < gene_rows.MOST_ROWS).all()
    assert ((placed["left"] >= 0) & (placed["right"] <= 5 + 1e-9)).all()
    for _, row in placed.groupby("row"):
        spans = []
        for gene in row.itertuples():
            wide = gene_rows.measure(gene.text, **gene_rows.FONT)[0]
            spans.append((min(gene.left, gene.label), max(gene.right, gene.label + wide)))
        spans.sort()
        assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))


def test_colours_and_words():
    assert colours(np.array([0.0, 0.19, 0.2, 0.5, 0.99, 1.0, np.nan])).tolist() == [
        *(STEPS[0], STEPS[0], STEPS[1], STEPS[2], STEPS[4], STEPS[4], style.FAINT)
    ]
    assert [p_of(one) for one in (0.3, 7.3, 300.0, 400.3)] == ["0.5", "5.0 × 10⁻⁸", "1.0 × 10⁻³⁰⁰", "5.0 × 10⁻⁴⁰¹"]
    assert effect(pd.Series({"best_feature": "", "beta": np.nan})) == ""
    assert effect(pd.Series({"pos": 1})) == ""
