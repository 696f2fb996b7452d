"""Heterozygosity, inbreeding and sex, the mid-p test and imputation quality, against plink2 and plink1.9."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.qc import variant_qc
from contigwas.genotypes.reader import open_genotypes
from contigwas.genotypes.samples import samples_qc
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from tests.genotype_files import write_pgen
from tests.plink_files import iids, simulate, write_plink, write_samples

NAMES = iids(400)
SETTINGS = {"call_rate": 0.0, "maf": 0.0, "hwe": 0.0, "hwe_midp": False, "info": 0.0, "sample_call_rate": 0.0}
SETTINGS |= {"heterozygosity": None, "sex_check": "report", "max_female_xf": 0.2, "min_male_xf": 0.8}


@pytest.fixture(scope="module")
def plink(oracle):
    def run(program, out, *arguments):
        command = [oracle(program), "--out", out, "--threads", "1", "--memory", "1000", *arguments]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr

    return run


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """An autosome and X of 400 samples, half of them male, five with the wrong reported sex, one inbred."""
    folder = tmp_path_factory.mktemp("samples")
    rng = np.random.default_rng(17)
    sexes = np.where(np.arange(400) % 2 == 0, 1, 2)
    autosome = simulate(rng, 400, 900, missing=0.02)
    autosome[3] = np.where(rng.random(900) < 0.5, 2 * (autosome[3] > 0), autosome[3])
    linked = simulate(rng, 400, 600, missing=0.02)
    linked[sexes == 1] = np.where(linked[sexes == 1] < 0, -127, 2 * (rng.random((200, 600)) < linked[sexes == 1] / 2))
    reported = sexes.copy()
    reported[:5] = 3 - reported[:5]
    write_plink(folder / "chr1.bed", autosome, NAMES, "1", sex=reported.tolist())
    positions = [3_000_000 + 1000 * number for number in range(600)]
    write_plink(folder / "chrX.bed", linked, NAMES, "23", sex=reported.tolist(), bp_position=positions)
    write_tsv(pd.DataFrame({"fid": NAMES, "iid": NAMES, "sex": reported, "genotypes": 1}), folder / "candidates.tsv")
    for chrom in ("1", "X"):
        outputs = folder / f"variants{chrom}.parquet", folder / f"missing{chrom}.parquet"
        variant_qc(folder / "chr{chrom}.bed", chrom, folder / "candidates.tsv", SETTINGS, "GRCh37", *outputs)
    return folder, sexes, reported


def checked(folder, **changed):
    samples_qc(
        [folder / "missing1.parquet"], {**SETTINGS, **changed}, folder / "samples.parquet", folder / "missingX.parquet"
    )
    return pd.read_parquet(folder / "samples.parquet")


def test_inbreeding(plink, study, tmp_path):
    folder, _, _ = study
    plink("plink2", tmp_path / "h", "--bfile", folder / "chr1", "--het")
    theirs = pd.read_csv(tmp_path / "h.het", sep="\t", dtype=str)
    ours = checked(folder)
    assert theirs.filter(regex="IID").iloc[:, 0].tolist() == ours["iid"].tolist()
    np.testing.assert_allclose(ours["f"], theirs["F"].astype(float), atol=2e-6, rtol=1e-5)
    observed = 1 - theirs["O(HOM)"].astype(int) / theirs["OBS_CT"].astype(int)
    np.testing.assert_allclose(ours["heterozygosity"], observed)
    assert ours["f"].idxmax() == 3
    assert ours["f"].max() > 0.2


def test_sex(plink, study, tmp_path):
    folder, sexes, reported = study
    plink("plink1.9", tmp_path / "s", "--bfile", folder / "chrX", "--check-sex", "--allow-no-sex")
    theirs = pd.read_csv(tmp_path / "s.sexcheck", sep=r"\s+", dtype={"IID": str}).set_index("IID").loc[NAMES]
    ours = checked(folder).set_index("iid").loc[NAMES]
    np.testing.assert_allclose(ours["f_x"], theirs["F"], atol=4e-3)
    assert (ours["genetic_sex"] == theirs["SNPSEX"]).all()
    assert (ours["genetic_sex"] == sexes).all()
    assert ours["kept"].all()
    dropped = checked(folder, sex_check="drop")
    assert dropped["reason"].tolist() == np.where(reported != sexes, "sex", "").tolist()


def test_outliers_of_heterozygosity(study):
    folder, _, _ = study
    values = checked(folder)["heterozygosity"].to_numpy()
    expected = np.abs(values - values.mean()) > 4 * values.std()
    assert expected[3]
    assert checked(folder, heterozygosity=4.0)["reason"].tolist() == np.where(expected, "heterozygosity", "").tolist()
    with pytest.raises(UserError, match=r"none of the 400 samples .*dropped: 400 call rate"):
        checked(folder, sample_call_rate=1.1)


def test_mid_p(plink, study, tmp_path):
    folder, _, _ = study
    plink("plink2", tmp_path / "m", "--bfile", folder / "chr1", "--hardy", "midp")
    theirs = pd.read_csv(tmp_path / "m.hardy", sep="\t")
    output = tmp_path / "v.parquet", tmp_path / "p.parquet"
    settings = {**SETTINGS, "hwe_midp": True}
    variant_qc(folder / "chr{chrom}.bed", 1, folder / "candidates.tsv", settings, "GRCh37", *output)
    np.testing.assert_allclose(pd.read_parquet(output[0])["hwe_p"], theirs["MIDP"], rtol=1e-5)


def test_imputation_quality(plink, tmp_path):
    rng = np.random.default_rng(3)
    certain, calls = rng.random(200)[None, :], simulate(rng, 300, 200)
    dosages = np.clip(certain * calls + (1 - certain) * calls.mean(axis=0), 0, 2)
    dosages = (np.round(dosages * 16384) / 16384).astype(np.float32)
    dosages[rng.random(dosages.shape) < 0.02] = np.nan
    names = iids(300)
    path = write_pgen(tmp_path / "i.pgen", dosages, names, ["1"] * 200)
    write_samples(tmp_path, names)
    plink("plink2", tmp_path / "f", "--pfile", tmp_path / "i", "--freq", "cols=+machr2")
    theirs = pd.read_csv(tmp_path / "f.afreq", sep="\t")["MACH_R2"]
    output = tmp_path / "v.parquet", tmp_path / "p.parquet"
    variant_qc(path, 1, tmp_path / "candidates.tsv", {**SETTINGS, "info": 0.4}, "GRCh37", *output)
    ours = pd.read_parquet(output[0])
    assert open_genotypes(path, 1).has_dosages
    np.testing.assert_allclose(ours["info"], theirs, rtol=2e-5, atol=1e-6)
    called = ours["call_rate"] > 0  # uncertain dosages are no hard calls
    assert (ours["reason"][called] == np.where(theirs < 0.4, "info", "")[called]).all()
    assert (ours["reason"] == "info").sum() > 20
    assert (ours["reason"] == "").sum() > 20
