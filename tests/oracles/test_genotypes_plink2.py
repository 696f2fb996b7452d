"""Quality control, pruning, kinship and principal components against plink2, on simulated and on real genotypes."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.kinship import chance_level, pairs_above
from contigwas.genotypes.pcs import principal_components, prune
from contigwas.genotypes.pruned import Pruned
from contigwas.genotypes.qc import variant_qc
from contigwas.genotypes.samples import samples_qc
from tests.plink_files import child, iids, simulate, write_plink, write_samples

EVERYTHING = {"call_rate": 0.0, "maf": 0.0, "hwe": 0.0, "hwe_midp": False, "info": 0.0, "sample_call_rate": 0.0}
EVERYTHING |= {"heterozygosity": None, "sex_check": "report", "max_female_xf": 0.2, "min_male_xf": 0.8}
WINDOW = {"window": 200, "step": 50, "r2": 0.2, "long_range_ld": "keep", "build": "GRCh37"}


@pytest.fixture(scope="module")
def plink2(oracle):
    program = oracle("plink2")

    def run(bed, out, *arguments, suffix):
        command = [program, "--bfile", bed.with_suffix(""), "--out", out, "--threads", "1", "--memory", "2000"]
        subprocess.run([*map(str, command), *map(str, arguments)], check=True, capture_output=True)
        header = None if suffix in (".prune.in", ".snplist") else 0
        table = pd.read_csv(f"{out}{suffix}", sep="\t", header=header, dtype={"IID": str, "#IID": str, "ID": str})
        return table.rename(columns=lambda name: str(name).removeprefix("#"))

    return run


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """600 samples of two populations with twelve children, 1,500 variants in linkage, 2 % missing; after our stages."""
    folder = tmp_path_factory.mktemp("simulated")
    rng = np.random.default_rng(31)
    dosages = simulate(rng, 600, 1500, fst=0.03, blocks=3)
    dosages[:, :30] = rng.binomial(2, 0.003, (600, 30))
    dosages[:, 30:60] = np.where(rng.random((600, 30)) < 0.3, 1, dosages[:, 30:60])
    for number in range(12):
        dosages[100 + number] = child(rng, dosages[number], dosages[50 + number])
    dosages[rng.random(dosages.shape) < 0.02] = -127
    dosages[7, rng.random(1500) < 0.3] = -127
    bed = write_plink(folder / "all.bed", dosages, iids(600))
    write_samples(folder, iids(600))
    variant_qc(
        bed, 1, folder / "candidates.tsv", EVERYTHING, "GRCh37", folder / "variants.parquet", folder / "missing.parquet"
    )
    samples_qc([folder / "missing.parquet"], EVERYTHING, folder / "samples.parquet")
    return folder, bed


@pytest.fixture(scope="module")
def real(tmp_path_factory, shared_data):
    """1,092 samples of the 1000 Genomes Project, 14,079 variants, after our pruning of every chromosome."""
    folder = tmp_path_factory.mktemp("real")
    bed = shared_data / "genotypes" / "1kg_phase1_thinned.bed"
    names = pd.read_csv(bed.with_suffix(".fam"), sep=r"\s+", header=None, dtype=str)[1].tolist()
    write_samples(folder, names)
    pruned = []
    for chrom in range(1, 23):
        variants = folder / f"variants{chrom}.parquet"
        settings = {**EVERYTHING, "maf": 0.01}
        variant_qc(
            bed, chrom, folder / "candidates.tsv", settings, "GRCh37", variants, folder / f"missing{chrom}.parquet"
        )
        pruned.append(folder / f"pruned{chrom}.parquet")
        prune(bed, chrom, variants, folder / "samples.parquet", WINDOW, pruned[-1])
    ids = pd.concat([pd.read_parquet(path) for path in pruned])["id"]
    (folder / "pruned.txt").write_text("\n".join(ids))
    return folder, bed, pruned, ids


def test_hardy_freq_and_missing(plink2, simulated, tmp_path):
    folder, bed = simulated
    ours = pd.read_parquet(folder / "variants.parquet")
    hardy = plink2(bed, tmp_path / "h", "--hardy", suffix=".hardy")
    assert hardy["ID"].tolist() == ours["id"].tolist()
    assert (ours["hwe_p"] < 1e-4).sum() >= 20
    np.testing.assert_allclose(ours["hwe_p"], hardy["P"], rtol=1e-5)
    freq = plink2(bed, tmp_path / "f", "--freq", suffix=".afreq")
    theirs = np.where(freq["ALT"] == ours["effect_allele"], freq["ALT_FREQS"], 1 - freq["ALT_FREQS"])
    np.testing.assert_allclose(ours["af"], theirs, atol=1e-6)
    missing = plink2(bed, tmp_path / "m", "--missing", suffix=".vmiss")
    np.testing.assert_allclose(1 - ours["call_rate"], missing["F_MISS"], atol=1e-6)
    samples = pd.read_parquet(folder / "samples.parquet")
    theirs = pd.read_csv(tmp_path / "m.smiss", sep="\t", dtype={"IID": str}).set_index("IID").loc[samples["iid"]]
    np.testing.assert_allclose(1 - samples["call_rate"], theirs["F_MISS"], rtol=1e-4, atol=1e-6)


def test_filters_keep_the_same_variants(plink2, simulated, tmp_path):
    folder, bed = simulated
    settings = {**EVERYTHING, "call_rate": 0.975, "maf": 0.01, "hwe": 1e-3}
    variant_qc(bed, 1, folder / "candidates.tsv", settings, "GRCh37", tmp_path / "v.parquet", tmp_path / "p.parquet")
    ours = pd.read_parquet(tmp_path / "v.parquet")
    arguments = ["--geno", "0.025", "--maf", "0.01", "--hwe", "1e-3", "--write-snplist"]
    theirs = plink2(bed, tmp_path / "q", *arguments, suffix=".snplist")["0"].tolist()
    assert 500 < len(theirs) < 1400
    assert set(ours["reason"]) == {"", "call rate", "maf", "hwe"}
    assert ours.loc[ours["kept"], "id"].tolist() == theirs


def test_pruning_agrees_in_size(plink2, simulated, real, tmp_path):
    folder, bed = simulated
    prune(bed, 1, folder / "variants.parquet", folder / "samples.parquet", WINDOW, tmp_path / "pruned.parquet")
    ours = set(pd.read_parquet(tmp_path / "pruned.parquet")["id"])
    arguments = ["--indep-pairwise", WINDOW["window"], WINDOW["step"], WINDOW["r2"]]
    theirs = set(plink2(bed, tmp_path / "s", *arguments, suffix=".prune.in")["0"])
    assert len(ours) == pytest.approx(len(theirs), rel=0.02)
    assert len(ours & theirs) > 0.9 * len(theirs)
    _, bed, _, ids = real
    theirs = set(plink2(bed, tmp_path / "r", "--maf", "0.01", *arguments, suffix=".prune.in")["0"])
    assert len(ids) == pytest.approx(len(theirs), rel=0.02)
    assert len(theirs & set(ids)) > 0.9 * len(theirs)


def test_king_table(plink2, simulated, tmp_path):
    folder, bed = simulated
    everything = tmp_path / "all.parquet"
    pd.read_parquet(folder / "variants.parquet").to_parquet(everything)
    ours = pairs_above(Pruned(bed, [1], [everything], iids(600)), -np.inf)
    theirs = plink2(bed, tmp_path / "k", "--make-king-table", suffix=".kin0")
    for name in ("IID1", "IID2"):
        theirs[name] = theirs[name].astype(str)
    assert len(ours) == len(theirs) == 600 * 599 // 2
    pair = lambda table, a, b: ["-".join(sorted(row)) for row in zip(table[a], table[b], strict=True)]  # noqa: E731
    theirs = pd.Series(theirs["KINSHIP"].to_numpy(), index=pair(theirs, "IID1", "IID2"))
    np.testing.assert_allclose(ours["kinship"], theirs.loc[pair(ours, "iid1", "iid2")], atol=2e-6)
    assert (ours["kinship"] > 0.177).sum() >= 24


def test_a_whole_genome_tells_relatives_from_chance(real):
    folder, bed, pruned, _ = real
    names = pd.read_parquet(folder / "samples.parquet")["iid"]
    assert chance_level(Pruned(bed, range(1, 23), pruned, names)) < 0.0884


def test_principal_components(plink2, real, tmp_path):
    folder, bed, pruned, _ = real
    principal_components(bed, range(1, 23), pruned, folder / "samples.parquet", None, 10, 1, tmp_path / "pcs.parquet")
    ours = pd.read_parquet(tmp_path / "pcs.parquet")
    theirs = plink2(bed, tmp_path / "p", "--extract", folder / "pruned.txt", "--pca", 10, suffix=".eigenvec")
    theirs = theirs.set_index("IID").loc[ours["iid"]]
    correlation = [abs(np.corrcoef(ours[f"PC{k}"], theirs[f"PC{k}"])[0, 1]) for k in range(1, 11)]
    assert min(correlation) > 0.999, correlation
    np.testing.assert_allclose(ours["PC1"].abs(), theirs["PC1"].abs(), atol=1e-4)
