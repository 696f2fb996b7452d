"""The rates of preflight come from the benchmarks. Its table has the given width. Genome builds are guessed."""

import pandas as pd
import pytest

from contigwas.preflight import cost
from contigwas.preflight.builds import guess_build
from contigwas.preflight.context import PreflightContext, Variants
from contigwas.preflight.findings import Finding
from contigwas.preflight.reference_positions import REFERENCE_VARIANTS
from contigwas.preflight.table import render


@pytest.fixture
def rows(root):
    """A function: the rows of contigwas in a table of benchmarks/ with some values, as dicts."""

    def find(name: str, **values: object) -> list[dict]:
        table = pd.read_csv(root / "benchmarks" / f"{name}.tsv", sep="\t")
        for column, value in values.items():
            table = table[table[column] == value]
        return table.to_dict("records")

    return find


def test_rates_of_genetics(rows):
    king = rows("king", program="contigwas", missing=0.0)[0]
    assert pytest.approx(king["wall_s"]) == cost.KING * king["n_samples"] ** 2 * king["variants"]
    snps = rows("snps", program="contigwas")[0]
    assert pytest.approx(snps["wall_s"]) == cost.SNPS * snps["n_samples"] * snps["variants"] / snps["stride"]
    pgs = rows("pgs_score", program="contigwas", layout="files")[0]
    assert pytest.approx(pgs["wall_s"]) == cost.PGS * pgs["n_samples"] * pgs["variants"] * pgs["scores"]
    burden = rows("burden", program="contigwas", statistic="max")[0]
    assert pytest.approx(burden["wall_s"]) == cost.BURDEN * burden["n_samples"] * burden["variants"]


def test_rates_of_the_gwas(rows):
    middle, large = (
        rows("gwas", program="contigwas", n_samples=50_000, variants=many)[0] for many in (50_000, 100_000)
    )
    work = 50_000 * 50_000 * large["features"]
    assert pytest.approx(large["wall_s"] - middle["wall_s"]) == cost.GWAS * work
    small = rows("gwas", program="contigwas", n_samples=8_000, features=128, variants=40_000, missing=0.0)[0]
    assert small["peak_mib"] * 2**20 == cost.GWAS_BASE
    more = cost.GWAS_SAMPLE * 128 * (50_000 - 8_000)
    assert pytest.approx((large["peak_mib"] - small["peak_mib"]) * 2**20) == more


@pytest.mark.parametrize(
    ("program", "rates"), [("contigwas", cost.TRAIN), ("contigwas: embed", cost.EMBED)], ids=["train", "embed"]
)
def test_rates_of_networks(rows, program, rates):
    for device, name in (("cpu", "cpu, 2 threads"), ("gpu", "NVIDIA H200")):
        row = rows("pretrain", program=program, device=name)[-1]
        gflops = cost.GFLOPS[row["network"]] * (row["pixels"] / cost.REFERENCE_SIZE) ** 2
        assert pytest.approx(row["images_s"]) == rates[device] / gflops


def study(**task):
    """Three models of 100 to 300 tested samples and 10, 512 and 10 features; a task of labels, filled in."""
    models = {
        "contig": {"method": "contig", "modalities": ["snps"], "image_encoder": "resnet18", "width": 32},
        "mine": {"embeddings": "mine.h5ad", "phenotypes": {"components": 0}},
        "simclr": {"method": "simclr", "image_encoder": "resnet18", "width": 64, "folds": 1},
    }
    filled = {"task": "regression", "models": None, "cohort": True, "size": None, "arms": ["probe", "finetuned"]}
    filled |= {"shares": [0.1, 1.0], "seeds": 5, "folds": 4, "steps": 100, "batch": 16}
    config = {
        "evaluate": {"common_samples": True},
        "gwas": {"columns": None},
        "phenotypes": {"components": 10},
        "samples": {"folds": 3},
        "images": {"size": 112, "dimensions": 2},
        "models": models,
        "downstream": {"age": filled | task},
    }
    array = Variants(pd.DataFrame(), True, {"1": 1000})
    counts = {f"tested samples of {model}": 100 * many for many, model in enumerate(models, start=1)}
    return PreflightContext(config, variants={"genotypes.array": array}, counts=counts)


def test_the_comparison_at_common_samples_is_a_gwas_more():
    hours, disk = {}, {}
    cost._add_gwas(study(), hours, {}, disk)
    assert hours["gwas (mine)"] == pytest.approx(cost.GWAS * 200 * 1000 * 512)
    assert hours["evaluate (common samples)"] == pytest.approx(cost.GWAS * 100 * 1000 * (10 + 512 + 10))
    assert disk["evaluate (common samples)"] == sum(size for name, size in disk.items() if name.startswith("gwas"))
    alone, hours = study(), {}
    alone.config["evaluate"]["common_samples"] = False
    cost._add_gwas(alone, hours, {}, {})
    assert hours.keys() == {"gwas (contig)", "gwas (mine)", "gwas (simclr)"}


def test_fine_tuning_is_counted_by_its_steps():
    """Of models with a network; a cross-fitted one has as many splits as networks. A quarter of the pixels of 224."""
    hours = {}
    cost._add_fine_tuning(study(), False, hours)
    images = 100 * 16 * 5 * 2  # steps, batch, seeds, shares
    gflops = cost.GFLOPS["resnet18"] / 4
    assert hours["downstream (age)"] == pytest.approx(images * (3 * gflops / 4 + 4 * gflops) / cost.TRAIN["cpu"])
    for task in ({"arms": ["probe", "knn"]}, {"models": ["mine"]}):
        hours = {}
        cost._add_fine_tuning(study(**task), False, hours)
        assert not hours
    hours = {}
    cost._add_fine_tuning(study(cohort=False, size=224, models=["simclr"]), True, hours)
    assert hours["downstream (age)"] == pytest.approx(images * 4 * 4 * gflops / cost.TRAIN["gpu"])


@pytest.mark.parametrize("width", [72, 100, 140])
def test_the_table_keeps_its_width_and_every_word(width):
    sentence = "a sentence of many words " * 12
    findings = [
        Finding("fact", "genotypes.array", "as it should be"),
        Finding("error", "models.a_model_with_a_long_name.phenotypes", sentence),
        Finding("warning", "images.table", "source   samples\neyes         12"),
    ]
    lines = render(findings, width).splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert text.count("sentence of many words") >= 1
    assert [line.split()[0] for line in lines if "---" in line] == ["ERRORS", "WARNINGS", "FACTS"]
    assert "  eyes         12" in "\n".join(lines), "lines of a small table stay as they are"
    assert sum(line.split().count("words") for line in lines) == 12
    assert lines[-1] == "preflight: 1 error and 1 warning: fix the errors before a run"


def test_builds_are_guessed_from_rsids_and_chromosome_ends():
    known = pd.DataFrame(
        [(rsid, chrom, position) for rsid, chrom, _, position in REFERENCE_VARIANTS], columns=["id", "chrom", "pos"]
    )
    assert guess_build(known)[0] == "GRCh38"
    ends = pd.DataFrame({"id": ["a", "b"], "chrom": ["17", "20"], "pos": [83_000_000, 64_000_000]})
    assert guess_build(ends)[0] == "GRCh38", "beyond the ends on GRCh37"
    ends = pd.DataFrame({"id": ["a", "b"], "chrom": ["1", "19"], "pos": [249_000_000, 59_000_000]})
    assert guess_build(ends)[0] == "GRCh37", "beyond the ends on GRCh38"
    assert guess_build(pd.DataFrame({"id": ["a"], "chrom": ["1"], "pos": [1000]}))[0] is None
