"""Exported text beside plink2's own of the same study, and read by plink1.9 and by LDSC's munge_sumstats."""

import gzip
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import erfc

from contigwas.export.ldsc import write_ldsc
from contigwas.export.phenotypes import write_phenotypes
from contigwas.export.plink2 import write_plink2
from contigwas.gwas.gwas import write_gwas
from contigwas.runtime.atomic_files import write_tsv
from tests.export_files import random_table, write_gwas_files
from tests.gwas_files import SETTINGS, arrays, write_study

PROPERTIES = ["BETA", "SE", "T_STAT"]


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A GWAS of two features on 90 variants with missing calls, its plink2 text both ways, and the phenotypes' TSV."""
    folder = tmp_path_factory.mktemp("export")
    dosages, design, values = arrays(8, variants=90, features=2, missing=0.02)
    dosages[:, 80] = 2
    paths = write_study(folder, dosages, design, values)
    table = pd.read_parquet(paths["phenotypes"])
    table["E2"] = table["E2"].mask(np.arange(len(table)) < 40)
    table.to_parquet(paths["phenotypes"], index=False)
    write_gwas(
        paths["pattern"],
        1,
        None,
        paths["phenotypes"],
        paths["covariates"],
        SETTINGS,
        folder / "gwas.parquet",
        folder / "gwas.summary.parquet",
    )
    for log10_p in (False, True):
        settings = {"features": None, "log10_p": log10_p}
        write_plink2({"1": folder / "gwas.parquet"}, settings, folder / f"log10_{log10_p}")
    write_tsv(pd.DataFrame({"fid": table["iid"], "iid": table["iid"]}), folder / "cohort.tsv")
    write_phenotypes(paths["phenotypes"], folder / "cohort.tsv", None, folder / "private" / "p.tsv")
    covariates = pd.read_parquet(paths["covariates"])
    covariates.insert(0, "#FID", covariates["iid"])
    write_tsv(covariates.rename(columns={"iid": "IID"}), folder / "covariates.txt")
    return folder


@pytest.mark.parametrize("log10_p", [False, True])
def test_the_same_text_as_plink2_on_the_exported_phenotypes(study, oracle, log10_p):
    command = [oracle("plink2"), "--bfile", study / "g", "--pheno", study / "private" / "p.tsv", "--no-psam-pheno"]
    command += ["--covar", study / "covariates.txt", "--covar-variance-standardize", "--threads", "1"]
    command += ["--glm", "hide-covar", "omit-ref", *(["log10"] if log10_p else []), "cols=+a1freq,+err"]
    run(*command, "--out", study / f"theirs{log10_p}")
    p = "LOG10_P" if log10_p else "P"
    for feature in ("E1", "E2"):
        theirs = pd.read_csv(study / f"theirs{log10_p}.{feature}.glm.linear", sep="\t", na_values=["NA"])
        ours = pd.read_csv(study / f"log10_{log10_p}" / f"{feature}.glm.linear.gz", sep="\t", na_values=["NA"])
        assert list(ours.columns) == list(theirs.columns)
        assert len(ours) == len(theirs) == 90
        for name in ("#CHROM", "POS", "ID", "REF", "ALT", "A1", "TEST"):
            assert ours[name].tolist() == theirs[name].tolist(), name
        known = theirs["BETA"].notna()
        assert known.sum() == 89 and (ours["BETA"].notna() == known).all()
        assert ((ours["ERRCODE"] == ".") == (theirs["ERRCODE"] == ".")).all()
        ours, theirs = ours[known], theirs[known]
        assert ours["OBS_CT"].tolist() == theirs["OBS_CT"].tolist()
        np.testing.assert_allclose(ours[PROPERTIES], theirs[PROPERTIES], rtol=2e-5, atol=2e-6)
        np.testing.assert_allclose(ours[p], theirs[p], rtol=1e-4)
        if feature == "E1":  # plink2 counts the alleles of the samples of each feature, the GWAS of all tested
            np.testing.assert_allclose(ours["A1_FREQ"], theirs["A1_FREQ"], atol=1e-6)


def test_plink19_clumps_the_exported_text(study, oracle):
    path = study / "log10_False" / "E1.glm.linear.gz"
    command = [oracle("plink1.9"), "--bfile", study / "g", "--clump", path, "--clump-snp-field", "ID"]
    run(*command, "--clump-p1", "0.01", "--clump-p2", "0.05", "--clump-kb", "1", "--out", study / "clump")
    leads = pd.read_csv(study / "clump.clumped", sep=r"\s+").set_index("SNP")["P"]
    table = pd.read_csv(path, sep="\t", na_values=["NA"]).set_index("ID")["P"]
    assert set(leads.index) == set(table.index[table <= 0.01]) and len(leads) > 2, "alone in their windows"
    np.testing.assert_allclose(leads, table[leads.index], rtol=6e-3)  # plink1.9 prints three digits


def test_munge_sumstats_keeps_what_ldsc_can_use(validator, tmp_path):
    table = random_table(5, "1", 300, ["PC1"])
    table.loc[0, "log10p_PC1"], table.loc[0, "beta_PC1"], table.loc[0, "se_PC1"] = 400, -0.9, 0.02
    table.loc[1, "other_allele"], table.loc[2, "id"] = "<DEL>", "."
    table.loc[3, ["effect_allele", "other_allele"]] = ["A", "T"]
    z = table["beta_PC1"] / table["se_PC1"]
    table.loc[1:, "log10p_PC1"] = -np.log10(erfc(z[1:].abs().to_numpy(float) / np.sqrt(2)))
    gwas = write_gwas_files(tmp_path / "gwas", {"1": table})
    write_ldsc(gwas, {"features": ["PC1"]}, tmp_path / "out")
    text = tmp_path / "PC1.txt"  # the Python 3 edition of LDSC cannot read gzip
    text.write_bytes(gzip.decompress((tmp_path / "out" / "PC1.sumstats.gz").read_bytes()))
    program = validator("munge_sumstats.py")
    said = run(Path(program).with_name("python"), program, "--sumstats", text, "--out", tmp_path / "munged")
    assert "Read 298 SNPs" in said and "Removed 0 SNPs with out-of-bounds p-values" in said
    assert int(re.search(r"Removed (\d+) variants that were not SNPs or were strand-ambiguous", said).group(1)) == 1
    munged = pd.read_csv(tmp_path / "munged.sumstats.gz", sep="\t").set_index("SNP").dropna()
    source = table.set_index("id").loc[munged.index]
    assert len(munged) == 297
    assert munged["A1"].tolist() == source["effect_allele"].tolist()
    assert munged["N"].tolist() == source["n"].tolist()
    expected = (source["beta_PC1"] / source["se_PC1"]).to_numpy()
    assert munged["Z"].iloc[0] < -30
    np.testing.assert_allclose(munged["Z"].to_numpy()[1:], expected[1:], atol=2e-3)
