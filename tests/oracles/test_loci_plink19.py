"""Clumps against plink1.9 --clump: index variants, SP2 and TOTAL identical."""

import subprocess
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from contigwas.genotypes.reader import Bed, open_genotypes
from contigwas.loci import clump, write_loci
from contigwas.loci.clump import Thresholds
from contigwas.loci.ld import Linkage, haplotype_r2, joint_counts
from contigwas.runtime.atomic_files import write_parquet, write_tsv
from tests.plink_files import iids, simulate, write_plink

Clumps = dict[str, tuple[set[str], int]]  # index variant -> (SP2, TOTAL)


def plink_clumps(plink: str, bed: Path, report: pd.DataFrame, folder: Path, thresholds: Thresholds) -> Clumps:
    """What plink1.9 finds; `report` has id and log10p. Both texts of p carry all digits of float64."""
    lines = [f"{name} {10.0**-value:.17g}" for name, value in zip(report["id"], report["log10p"], strict=True)]
    (folder / "report.txt").write_text("\n".join(["SNP P", *lines]) + "\n")
    options = [f"--clump-{name}={value}" for name, value in vars(thresholds).items()]
    options = [part for one in options for part in one.split("=")]
    command = [plink, "--bfile", bed.with_suffix(""), "--clump", folder / "report.txt", *options]
    (folder / "plink.clumped").unlink(missing_ok=True)
    subprocess.run([*command, "--out", folder / "plink"], check=True, capture_output=True)
    path = folder / "plink.clumped"
    if not path.exists():
        return {}
    table = pd.read_csv(path, sep=r"\s+", dtype={"SNP": str, "SP2": str}, keep_default_na=False)
    return {
        row.SNP: (set() if row.SP2 == "NONE" else {one.removesuffix("(1)") for one in row.SP2.split(",")}, row.TOTAL)
        for row in table.itertuples()
    }


def our_clumps(path: Path, report: pd.DataFrame, thresholds: Thresholds) -> Clumps:
    """What we find, chromosome by chromosome."""
    found: Clumps = {}
    for chrom in report["chrom"].unique():
        bed = open_genotypes(path, chrom)
        here = report[report["chrom"] == chrom].reset_index(drop=True)
        rows = pd.Index(bed.variants["id"]).get_indexer(here["id"])
        linkage = Linkage(bed, rows, np.arange(len(bed.samples)))
        log10p = here["log10p"].to_numpy(np.float32)
        for one in clump(log10p, here["pos"].to_numpy(), thresholds, linkage, rows):
            found[here["id"][one.index]] = (set(here["id"][one.listed]), len(one.claimed))
    return found


def association(dosages: np.ndarray, phenotype: np.ndarray) -> np.ndarray:
    """-log10 p of each variant, float32; missing calls at the mean."""
    called = np.where(dosages < 0, np.nan, dosages.astype(float))
    g = np.nan_to_num(called - np.nanmean(called, axis=0))
    y = phenotype - phenotype.mean()
    with np.errstate(invalid="ignore"):
        r = g.T @ y / np.sqrt((g**2).sum(axis=0) * (y**2).sum())
    t = r * np.sqrt((len(y) - 2) / (1 - r**2))
    return (-np.log10(2 * stats.t.sf(np.abs(t), len(y) - 2))).astype(np.float32)


@pytest.fixture(scope="module")
def europeans(shared_data):
    """The .bed of 379 Europeans, and a GWAS of a trait with eight strong variants on two chromosomes."""
    path = shared_data / "genotypes" / "EUR_subset.bed"
    rng = np.random.default_rng(7)
    tables, phenotype = [], rng.normal(size=len(Bed(path).samples))
    beds = {chrom: open_genotypes(path, chrom) for chrom in ("21", "22")}
    dosages = {chrom: bed.read(np.arange(len(bed.variants))) for chrom, bed in beds.items()}
    for values in dosages.values():
        common = np.flatnonzero(np.abs(values.mean(axis=0) - 1) < 0.7)
        phenotype += values[:, rng.choice(common, 4, replace=False)] @ rng.choice([-0.8, 0.8], 4)
    for chrom, bed in beds.items():
        table = bed.variants.assign(log10p=association(dosages[chrom], phenotype))
        tables.append(table.dropna(subset="log10p"))
    return path, pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize(
    "thresholds",
    [
        Thresholds(5e-8, 1e-7, 0.1, 150),
        Thresholds(1e-4, 1e-2, 0.5, 250),
        Thresholds(1e-3, 1e-3, 0.2, 1000),
        Thresholds(1e-2, 0.05, 0.01, 37.5),
        Thresholds(0.05, 1.0, 0.9, 5),
        Thresholds(1e-6, 1e-6, 0.05, 3000),
        Thresholds(1e-3, 0.5, 0.99, 500),
        Thresholds(1e-300, 1e-2, 0.5, 250),
    ],
    ids=str,
)
def test_real_linkage(oracle, europeans, tmp_path, thresholds):
    path, report = europeans
    expected = plink_clumps(oracle("plink1.9"), path, report, tmp_path, thresholds)
    assert our_clumps(path, report, thresholds) == expected
    assert bool(expected) == (thresholds.p1 > 1e-300)


@pytest.fixture(scope="module")
def with_missing_calls(europeans, tmp_path_factory):
    """A stretch of the Europeans' chromosome 22 with 4 % of the calls taken away, and its GWAS."""
    path, _ = europeans
    bed, rng = open_genotypes(path, "22"), np.random.default_rng(8)
    rows = np.arange(4000)
    dosages = bed.read(rows)
    phenotype = dosages[:, [500, 1700, 3100]] @ [1.0, -1.0, 0.8] + rng.normal(size=len(dosages))
    dosages[rng.random(dosages.shape) < 0.04] = -127
    copy = write_plink(tmp_path_factory.mktemp("missing") / "all.bed", dosages, iids(len(dosages)), "22",
                       bp_position=bed.variants["pos"][rows].tolist())  # fmt: skip
    table = Bed(copy).variants.assign(log10p=association(dosages, phenotype))
    return copy, table.dropna(subset="log10p").reset_index(drop=True)


@pytest.mark.parametrize(
    "thresholds",
    [
        Thresholds(5e-8, 1e-7, 0.1, 150),
        Thresholds(1e-4, 1e-4, 0.5, 250),
        Thresholds(1e-2, 0.2, 0.8, 50),
        Thresholds(1e-3, 1e-2, 0.02, 2000),
    ],
    ids=str,
)
def test_real_linkage_with_missing_calls(oracle, with_missing_calls, tmp_path, thresholds):
    path, report = with_missing_calls
    expected = plink_clumps(oracle("plink1.9"), path, report, tmp_path, thresholds)
    assert our_clumps(path, report, thresholds) == expected
    assert expected


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chromosome_x(oracle, tmp_path, seed):
    # Males are called as homozygous, but for a few heterozygous calls, which count as missing; some sexes are unknown.
    rng = np.random.default_rng(seed)
    dosages = simulate(rng, 90, 200, missing=0.05, blocks=5)
    sex = np.array([1, 2, 1, 2, 0] * 18)
    male = dosages[sex == 1]
    dosages[sex == 1] = np.where((male == 1) & (rng.random(male.shape) < 0.95), rng.choice([0, 2], male.shape), male)
    path = write_plink(tmp_path / "x.bed", dosages, iids(90), "X", sex=sex.tolist())
    bed = Bed(path)
    report = bed.variants.assign(log10p=np.round(rng.exponential(1, 200), 1).astype(np.float32))
    linkage = Linkage(bed, np.arange(200), np.arange(90), np.ones(200, bool))
    for thresholds in (Thresholds(0.1, 0.3, 0.2, 10), Thresholds(0.05, 0.05, 0.6, 100), Thresholds(0.3, 1.0, 0.05, 4)):
        expected = plink_clumps(oracle("plink1.9"), path, report, tmp_path, thresholds)
        found = clump(report["log10p"].to_numpy(), report["pos"].to_numpy(), thresholds, linkage)
        names = report["id"].to_numpy()
        assert {names[one.index]: (set(names[one.listed]), len(one.claimed)) for one in found} == expected
        assert sum(total for _, total in expected.values()) > 10
    pairs = [(first, first + 1) for first in range(0, 60, 7)]
    for first, second in pairs:
        (known,) = plink_r2(oracle("plink1.9"), path, first, second)
        assert abs(linkage(first, np.array([second]))[0] - known) < 6e-6
    diploid = Linkage(bed, np.arange(200), np.arange(90))
    assert any(abs(diploid(a, np.array([b])) - linkage(a, np.array([b]))) > 1e-3 for a, b in pairs)


def test_the_whole_table_of_chromosome_x(oracle, tmp_path):
    rng = np.random.default_rng(12)
    dosages = simulate(rng, 200, 150, missing=0.03, blocks=5)
    sex = 1 + np.arange(200) % 2
    dosages[sex == 1] = np.where(dosages[sex == 1] == 1, 2 * (rng.random((100, 150)) < 0.5), dosages[sex == 1])
    positions = (5_000_000 + 1000 * np.arange(150)).tolist()  # beyond the pseudo-autosomal region
    path = write_plink(tmp_path / "x.bed", dosages, iids(200), "X", sex=sex.tolist(), bp_position=positions)
    report = Bed(path).variants.assign(log10p=np.round(rng.exponential(1, 150), 1).astype(np.float32))
    thresholds = Thresholds(0.1, 0.3, 0.5, 10)
    expected = plink_clumps(oracle("plink1.9"), path, report, tmp_path, thresholds)
    write_tsv(pd.DataFrame({"iid": iids(200), "gwas_included": 1}), tmp_path / "cohort.tsv")
    columns = {"eaf": 0.5, "n": 200, "beta_a": 1.0, "se_a": 0.1, "log10p_a": report["log10p"]}
    write_parquet(report.drop(columns="log10p").assign(**columns), tmp_path / "chrX.parquet")
    settings = vars(thresholds) | {"test": "a", "feature_p": None, "genes": None, "build": "GRCh38"}
    write_loci({"X": tmp_path / "chrX.parquet"}, str(path), tmp_path / "cohort.tsv", settings, tmp_path / "loci.tsv")
    loci = pd.read_csv(tmp_path / "loci.tsv", sep="\t")
    claimed = dict(zip(loci["lead_id"], loci["n_variants"] - 1, strict=True))
    assert claimed == {name: total for name, (_, total) in expected.items()}
    diploid = our_clumps(path, report, thresholds)
    assert {name: total for name, (_, total) in diploid.items()} != claimed


@pytest.mark.parametrize("kb", [3, 10])
@pytest.mark.parametrize("seed", [1, 2])
def test_missing_calls_ties_and_the_edge_of_the_window(oracle, tmp_path, seed, kb):
    # Variants stand 1,000 base pairs apart, so some lie exactly kb away; p is coarse, so that many are tied.
    rng = np.random.default_rng(seed)
    dosages = simulate(rng, 60, 400, missing=0.05, blocks=8)
    dosages[:, 5] = 0
    path = write_plink(tmp_path / "all.bed", dosages, iids(60), ["1"] * 250 + ["2"] * 150)
    report = Bed(path).variants.assign(log10p=np.round(rng.exponential(1, 400), 1).astype(np.float32))
    report = report[rng.random(400) < 0.9].reset_index(drop=True)
    thresholds = Thresholds(0.1, 0.3, 0.2, kb)
    expected = plink_clumps(oracle("plink1.9"), path, report, tmp_path, thresholds)
    assert our_clumps(path, report, thresholds) == expected
    assert sum(total for _, total in expected.values()) > 20


def test_r2_of_pairs(oracle, tmp_path):
    # Few samples make the awkward cases: perfect linkage, absent haplotypes, only double heterozygotes.
    # Where there are several solutions plink does not say which --clump takes: tests/unit/test_loci_ld.py does.
    rng, several = np.random.default_rng(3), 0
    for samples in (4, 9, 25):
        dosages = simulate(rng, samples, 12, missing=0.08, blocks=3)
        dosages[:, 0] = 1
        path = write_plink(tmp_path / f"{samples}.bed", dosages, iids(samples))
        for first, second in [*combinations(range(0, 12, 2), 2), *combinations(range(1, 6), 2)]:
            ours = haplotype_r2(joint_counts(dosages[:, first], dosages[:, [second]]))[0]
            expected = plink_r2(oracle("plink1.9"), path, first, second)
            assert np.isnan(ours) if not expected else min(abs(ours - one) for one in expected) < 6e-6
            several += len(expected) > 1
    assert several > 0


def plink_r2(plink: str, path: Path, first: int, second: int) -> list[float]:
    """R-sq of every solution that plink1.9 --ld prints (six digits); none where a variant does not vary."""
    names = Bed(path).variants["id"]
    command = [plink, "--bfile", path.with_suffix(""), "--out", path.parent / "ld"]
    text = subprocess.run([*command, "--ld", names[first], names[second]], capture_output=True, text=True).stdout
    return [float(line.split("=")[1].split()[0]) for line in text.splitlines() if "R-sq =" in line]


def test_the_whole_table(oracle, europeans, tmp_path):
    path, report = europeans
    thresholds = Thresholds(1e-4, 1e-3, 0.1, 150)
    expected = plink_clumps(oracle("plink1.9"), path, report, tmp_path, thresholds)
    samples = Bed(path).samples
    write_tsv(samples[["fid", "iid"]].assign(gwas_included=1), tmp_path / "cohort.tsv")
    gwas = {}
    for chrom, table in report.groupby("chrom"):
        gwas[chrom] = tmp_path / f"chr{chrom}.parquet"
        log10p = table["log10p"].astype(np.float32)
        columns = {"eaf": 0.5, "n": 379, "beta_a": 1.0, "se_a": 0.1, "log10p_a": log10p, "log10p_manova": log10p}
        write_parquet(table.drop(columns="log10p").assign(**columns), gwas[chrom])
    settings = vars(thresholds) | {"test": "manova", "feature_p": None, "genes": None, "build": "GRCh37"}
    write_loci(gwas, str(path), tmp_path / "cohort.tsv", settings, tmp_path / "loci.tsv")
    loci = pd.read_csv(tmp_path / "loci.tsv", sep="\t")
    assert dict(zip(loci["lead_id"], loci["n_variants"] - 1, strict=True)) == {
        name: total for name, (_, total) in expected.items()
    }
    assert len(loci) > 5
