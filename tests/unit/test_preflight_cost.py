"""The rates of preflight are those of the benchmarks' tables; its table is as wide as it is told; builds are told."""

import pandas as pd
import pytest

from contigwas.preflight import cost
from contigwas.preflight.builds import guess
from contigwas.preflight.findings import Finding
from contigwas.preflight.places import KNOWN
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
    assert pytest.approx(king["wall_s"]) == cost.KING * king["people"] ** 2 * king["variants"]
    snps = rows("snps", program="contigwas")[0]
    assert pytest.approx(snps["wall_s"]) == cost.SNPS * snps["people"] * snps["variants"] / snps["stride"]
    pgs = rows("pgs_score", program="contigwas", layout="files")[0]
    assert pytest.approx(pgs["wall_s"]) == cost.PGS * pgs["people"] * pgs["variants"] * pgs["scores"]
    burden = rows("burden", program="contigwas", statistic="max")[0]
    assert pytest.approx(burden["wall_s"]) == cost.BURDEN * burden["people"] * burden["variants"]


def test_rates_of_the_gwas(rows):
    middle, large = (rows("gwas", program="contigwas", people=50_000, variants=many)[0] for many in (50_000, 100_000))
    work = 50_000 * 50_000 * large["features"]
    assert pytest.approx(large["wall_s"] - middle["wall_s"]) == cost.GWAS * work
    small = rows("gwas", program="contigwas", people=8_000, features=128, variants=40_000, missing=0.0)[0]
    assert small["peak_mib"] * 2**20 == cost.GWAS_BASE
    more = cost.GWAS_PERSON * 128 * (50_000 - 8_000)
    assert pytest.approx((large["peak_mib"] - small["peak_mib"]) * 2**20) == more


@pytest.mark.parametrize(
    ("program", "rates"), [("contigwas", cost.TRAIN), ("contigwas: embed", cost.EMBED)], ids=["train", "embed"]
)
def test_rates_of_networks(rows, program, rates):
    for device, name in (("cpu", "cpu, 2 threads"), ("gpu", "NVIDIA H200")):
        row = rows("pretrain", program=program, device=name)[-1]
        gflops = cost.GFLOPS[row["network"]] * (row["pixels"] / cost.AT) ** 2
        assert pytest.approx(row["images_s"]) == rates[device] / gflops


@pytest.mark.parametrize("width", [72, 100, 140])
def test_the_table_keeps_its_width_and_every_word(width):
    sentence = "a sentence of many words " * 12
    findings = [
        Finding("fact", "genotypes.array", "as it should be"),
        Finding("error", "models.a_model_with_a_long_name.phenotypes", sentence),
        Finding("warning", "images.table", "source   people\neyes         12"),
    ]
    lines = render(findings, width).splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert text.count("sentence of many words") >= 1
    assert [line.split()[0] for line in lines if "---" in line] == ["ERRORS", "WARNINGS", "FACTS"]
    assert "  eyes         12" in "\n".join(lines), "lines of a small table stay as they are"
    assert sum(line.split().count("words") for line in lines) == 12
    assert lines[-1] == "preflight: 1 error and 1 warning: mend the errors before a run"


def test_builds_are_told_by_rsids_and_by_ends():
    known = pd.DataFrame([(rsid, chrom, there) for rsid, chrom, _, there in KNOWN], columns=["id", "chrom", "pos"])
    assert guess(known)[0] == "GRCh38"
    ends = pd.DataFrame({"id": ["a", "b"], "chrom": ["17", "20"], "pos": [83_000_000, 64_000_000]})
    assert guess(ends)[0] == "GRCh38", "beyond the ends on GRCh37"
    ends = pd.DataFrame({"id": ["a", "b"], "chrom": ["1", "19"], "pos": [249_000_000, 59_000_000]})
    assert guess(ends)[0] == "GRCh37", "beyond the ends on GRCh38"
    assert guess(pd.DataFrame({"id": ["a"], "chrom": ["1"], "pos": [1000]}))[0] is None
