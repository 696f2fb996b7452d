"""Whole files of every format, dosages and chromosome X against plink2 --glm."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.reader import open_genotypes
from contigwas.gwas.gwas import write_gwas
from tests.genotype_files import write_pgen
from tests.gwas_files import SETTINGS
from tests.plink_files import iids, simulate, write_plink


@pytest.fixture(scope="module")
def plink2(oracle):
    program = oracle("plink2")

    def run(*arguments):
        command = [program, *arguments, "--threads", "1", "--memory", "1500"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr

    return run


def write_tables(folder, names, covariates, values) -> dict:
    """The tables of both programs."""
    paths = {}
    for title, prefix, array in (("phenotypes", "y", values), ("covariates", "c", covariates)):
        table = pd.DataFrame(array, columns=[f"{prefix}{k}" for k in range(array.shape[1])])
        table.insert(0, "iid", names)
        paths[title] = folder / f"{title}.parquet"
        table.sample(frac=1, random_state=3).to_parquet(paths[title])
        text = table.rename(columns={"iid": "IID"})
        text.insert(0, "#FID", names)
        text.to_csv(folder / f"{title}.txt", sep="\t", index=False, float_format="%.17g")
    return paths


def gwas(pattern, chrom, paths, folder, name="ours", **settings) -> pd.DataFrame:
    output = folder / f"{name}.parquet"
    write_gwas(
        pattern, chrom, None, paths["phenotypes"], paths["covariates"], {**SETTINGS, **settings}, output,
        folder / f"{name}.summary.parquet",
    )  # fmt: skip
    return pd.read_parquet(output)


def glm(plink2, folder, features, *genotypes) -> list[pd.DataFrame]:
    """plink2's table of each feature, indexed by variant."""
    plink2(
        *genotypes, "--glm", "hide-covar", "omit-ref", "cols=+a1freq,+err", "--no-psam-pheno", "--pheno",
        folder / "phenotypes.txt", "--covar", folder / "covariates.txt", "--covar-variance-standardize", "--out",
        folder / "theirs",
    )  # fmt: skip
    tables = [pd.read_csv(folder / f"theirs.y{k}.glm.linear", sep="\t", na_values=["NA"]) for k in range(features)]
    return [table.set_index("ID") for table in tables]


def agree(ours, theirs, features, frequency=None) -> int:
    """Numbers that plink2 prints with six digits, and ours stored in float32; the number compared.

    `frequency` of the effect alleles, where it is not what --glm prints.
    """
    compared = 0
    ours = ours.set_index("id")
    for k in range(features):
        known = theirs[k][theirs[k]["BETA"].notna()]
        rows = ours.loc[known.index]
        assert (rows["n"] == known["OBS_CT"]).all()
        assert (rows["effect_allele"] == known["A1"]).all()
        expected = known["A1_FREQ"] if frequency is None else frequency.loc[known.index]
        np.testing.assert_allclose(rows["eaf"], expected, atol=2e-6, rtol=6e-6)
        t = known["T_STAT"].abs()
        assert (np.abs(rows[f"beta_y{k}"] - known["BETA"]) <= (1e-5 + 2e-5 * t) * known["SE"]).all()
        np.testing.assert_allclose(rows[f"se_y{k}"], known["SE"], rtol=2e-5)
        log10p = -np.log10(known["P"])
        assert (np.abs(rows[f"log10p_y{k}"] - log10p) <= 1e-4 + 1e-5 * log10p).all()
        compared += len(rows)
    return compared


def test_bed_pgen_and_bgen_give_the_same_numbers(plink2, shared_data, tmp_path):
    source = open_genotypes(shared_data / "genotypes" / "EUR_subset.bed", 22)
    rng = np.random.default_rng(51)
    chosen = np.sort(rng.choice(len(source.variants), 1500, replace=False))
    dosages = source.read(chosen)
    dosages[rng.random(dosages.shape) < 0.03] = -127
    described, names = source.variants.iloc[chosen], source.samples["iid"].tolist()
    properties = {
        "sid": [f"v{k}" for k in range(len(chosen))],
        "bp_position": described["pos"].tolist(),
        "allele_1": described["effect_allele"].tolist(),
        "allele_2": described["other_allele"].tolist(),
    }
    bed = write_plink(tmp_path / "g.bed", dosages, names, 22, **properties)
    stem = bed.with_suffix("")
    plink2("--bfile", stem, "--make-pgen", "--out", tmp_path / "p")
    plink2("--bfile", stem, "--export", "bgen-1.2", "bits=8", "ref-first", "--out", tmp_path / "b")
    paths = write_tables(tmp_path, names, rng.normal(size=(len(names), 12)), rng.normal(size=(len(names), 20)))
    tables = [gwas(tmp_path / name, 22, paths, tmp_path, name[0]) for name in ("g.bed", "p.pgen", "b.bgen")]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(other.iloc[:, :8], tables[0].iloc[:, :8], rtol=1e-6)
        for k in range(20):
            assert (np.abs(other[f"beta_y{k}"] - tables[0][f"beta_y{k}"]) <= 1e-5 * tables[0][f"se_y{k}"]).all()
            np.testing.assert_allclose(other[f"log10p_y{k}"], tables[0][f"log10p_y{k}"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(other["log10p_manova"], tables[0]["log10p_manova"], rtol=1e-4, atol=1e-4)
    assert agree(tables[1], glm(plink2, tmp_path, 20, "--pfile", tmp_path / "p"), 20) > 20 * 1400


def test_dosages(plink2, tmp_path):
    rng = np.random.default_rng(52)
    calls = simulate(rng, 400, 200, missing=0.04)
    soft = np.clip(calls + rng.uniform(-0.45, 0.45, calls.shape), 0, 2).astype(np.float32)
    soft[calls < 0] = np.nan
    path = write_pgen(tmp_path / "g.pgen", soft, iids(400), ["1"] * 200)
    values = rng.normal(size=(400, 3)) + 0.4 * np.nan_to_num(soft[:, :3], nan=1.0)
    values[:, 2] += 4.5 * np.nan_to_num(soft[:, 2], nan=1.0)
    paths = write_tables(tmp_path, iids(400), rng.normal(size=(400, 4)), values)
    theirs = glm(plink2, tmp_path, 3, "--pfile", path.with_suffix(""))
    ours = gwas(path, 1, paths, tmp_path)
    assert agree(ours, theirs, 3) == 600
    assert ours["log10p_y2"].max() > 180


def test_chromosome_x(plink2, tmp_path):
    rng = np.random.default_rng(53)
    dosages = simulate(rng, 500, 150, missing=0.03)
    males = np.arange(500) % 2 == 0  # as write_plink has it
    dosages[np.ix_(males, np.arange(150))] = np.where(
        dosages[males] < 0, -127, 2 * (np.maximum(dosages[males], 0) > rng.uniform(0, 2, (250, 150)))
    )
    positions = [3_000_000 + 1000 * k for k in range(150)]
    bed = write_plink(tmp_path / "x.bed", dosages, iids(500), "X", bp_position=positions)
    values = rng.normal(size=(500, 2)) + 0.5 * males[:, None]
    paths = write_tables(tmp_path, iids(500), rng.normal(size=(500, 3)), values)
    theirs = glm(plink2, tmp_path, 2, "--bfile", bed.with_suffix(""))
    # --glm counts a man's X twice where it prints A1_FREQ, --freq counts chromosomes, as we do
    plink2("--bfile", bed.with_suffix(""), "--freq", "--out", tmp_path / "f")
    table = pd.read_csv(tmp_path / "f.afreq", sep="\t").set_index("ID")
    assert (table["ALT"] == "A").all()
    assert agree(gwas(bed, "X", paths, tmp_path), theirs, 2, table["ALT_FREQS"]) >= 2 * 148
