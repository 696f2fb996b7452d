"""Whole files against plink2 --glm: the same samples, and the same numbers to the digits that it prints."""

import subprocess

import numpy as np
import pandas as pd
import pytest
import torch

from contigwas.genotypes.reader import Bed
from contigwas.gwas.design import design
from contigwas.gwas.engine import FLAGS, Kernel
from contigwas.gwas.gwas import write_gwas
from tests.gwas_files import SETTINGS, associate
from tests.plink_files import iids, simulate, write_plink


@pytest.fixture(scope="module")
def glm(oracle):
    """A function: plink2's table of all features, indexed by (feature, row of the .bim)."""
    program = oracle("plink2")

    def run(bed, folder, covariates, values):
        samples = bed.samples[["fid", "iid"]].set_axis(["#FID", "IID"], axis=1)
        for name, array in (("pheno", values), ("covar", covariates)):
            text = pd.DataFrame(array).map(lambda one: "NA" if np.isnan(one) else repr(float(one)))
            text.columns = [f"{name[0]}{k}" for k in range(array.shape[1])]
            pd.concat([samples, text], axis=1).to_csv(folder / f"{name}.txt", sep="\t", index=False)
        command = [program, "--bfile", bed.path.with_suffix(""), "--glm", "hide-covar", "omit-ref", "cols=+a1freq,+err"]
        command += ["--no-psam-pheno", "--pheno", folder / "pheno.txt", "--covar", folder / "covar.txt"]
        command += ["--covar-variance-standardize", "--threads", "1", "--memory", "2000", "--out", folder / "p"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        tables = []
        for k in range(values.shape[1]):
            table = pd.read_csv(folder / f"p.p{k}.glm.linear", sep="\t", keep_default_na=False, na_values=["NA"])
            rows = pd.Index(bed.variants["id"]).get_indexer(table["ID"])
            sign = np.where(table["A1"].to_numpy() == bed.variants["effect_allele"].to_numpy()[rows], 1, -1)
            table["BETA"] *= sign
            table["T_STAT"] *= sign
            tables.append(table.assign(feature=k, row=rows))
        return pd.concat(tables)

    return run


def agree(ours, theirs):
    """`ours`: the results in float64 and as shipped; the number of rows that plink2 tested."""
    rows, features = theirs["row"].to_numpy(), theirs["feature"].to_numpy()
    known = theirs["BETA"].notna().to_numpy()
    exact, shipped = ours
    assert (exact.n[rows] == theirs["OBS_CT"].to_numpy())[known].all()
    assert ((exact.flag[rows] == 0) == known).all()
    rows, features, theirs = rows[known], features[known], theirs[known]
    beta, se, t = (theirs[name].to_numpy() for name in ("BETA", "SE", "T_STAT"))
    # Six printed digits: half a unit of the sixth, and what a rounding on either side adds.
    np.testing.assert_allclose(exact.beta[rows, features], beta, rtol=6e-6, atol=0)
    np.testing.assert_allclose(exact.se[rows, features], se, rtol=6e-6, atol=0)
    np.testing.assert_allclose((exact.beta / exact.se)[rows, features], t, rtol=6e-6, atol=0)
    for one, other in ((shipped.beta, exact.beta), (shipped.beta / shipped.se * exact.se, exact.beta)):
        error = np.abs(one - other)[rows, features] / exact.se[rows, features]
        assert (error <= 1e-5 + 1e-5 * np.abs(t)).all(), error.max()
    return len(rows)


def both(bed, covariates, values):
    names = [f"c{k}" for k in range(covariates.shape[1])]
    setup = design(covariates, names, values, [f"p{k}" for k in range(values.shape[1])]).setups[0]
    dosages = bed.read(np.arange(len(bed.variants)))
    return [associate(Kernel(setup, dtype=dtype), dosages) for dtype in (torch.float64, torch.float32)]


def test_simulated(glm, tmp_path):
    rng = np.random.default_rng(41)
    dosages = simulate(rng, 400, 300, fst=0.05, missing=0.03, blocks=2)
    dosages[:, 290:] = rng.binomial(2, 0.01, (400, 10))
    dosages[:, 299] = 2
    covariates = rng.normal(size=(400, 4)) * [1, 30, 0.01, 1] + [0, 50, 0, 3]
    covariates[:, 3] = np.where(dosages[:, 5] < 0, 1, dosages[:, 5]) + 0.08 * rng.normal(size=400)
    values = rng.normal(size=(400, 3)) * [1, 1e-3, 1e4]
    values[:, 0] += np.where(dosages[:, 50] < 0, 0, dosages[:, 50])
    bed = Bed(write_plink(tmp_path / "g.bed", dosages, iids(400)))
    ours = both(bed, covariates, values)
    assert agree(ours, glm(bed, tmp_path, covariates, values)) > 3 * 290
    assert FLAGS[ours[0].flag[5]] == "COLLINEAR"
    assert FLAGS[ours[0].flag[299]] == "MONOMORPHIC"


def test_real_genotypes_with_calls_removed(glm, shared_data, tmp_path):
    source = Bed(shared_data / "genotypes" / "EUR_subset.bed", 22)
    rng = np.random.default_rng(42)
    dosages = source.read(np.arange(len(source.variants)))
    dosages[rng.random(dosages.shape) < 0.03] = -127
    variants, names = source.variants, source.samples["iid"].tolist()
    properties = {
        "sid": [f"{k}:{one}" for k, one in enumerate(variants["id"])],
        "bp_position": variants["pos"].tolist(),
        "allele_1": variants["effect_allele"].tolist(),
        "allele_2": variants["other_allele"].tolist(),
    }
    bed = Bed(write_plink(tmp_path / "g.bed", dosages, names, 22, **properties))
    covariates, values = rng.normal(size=(len(names), 12)), rng.normal(size=(len(names), 20))
    theirs = glm(bed, tmp_path, covariates, values)
    assert agree(both(bed, covariates, values), theirs) > 20 * 0.95 * len(variants)

    # The same through the files, in float32.
    for name, prefix, array in (("y", "p", values), ("c", "c", covariates)):
        table = pd.DataFrame(array, columns=[f"{prefix}{k}" for k in range(array.shape[1])])
        table.insert(0, "iid", names)
        table.sample(frac=1, random_state=1).to_parquet(tmp_path / f"{name}.parquet")
    files = [tmp_path / name for name in ("y.parquet", "c.parquet")]
    write_gwas(bed.path, 22, None, *files, SETTINGS, tmp_path / "o.parquet", tmp_path / "s.parquet")
    table = pd.read_parquet(tmp_path / "o.parquet").set_index("id")
    some = theirs[(theirs["feature"] == 7) & theirs["BETA"].notna()]
    table = table.loc[some["ID"]]
    assert (table["n"].to_numpy() == some["OBS_CT"].to_numpy()).all()
    np.testing.assert_allclose(table["log10p_p7"], -np.log10(some["P"]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(table["se_p7"], some["SE"], rtol=1e-5)
    frequency = np.where(some["A1"] == table["effect_allele"].to_numpy(), some["A1_FREQ"], 1 - some["A1_FREQ"])
    np.testing.assert_allclose(table["eaf"], frequency, atol=1e-5)


def test_features_with_missing_samples(glm, tmp_path):
    rng = np.random.default_rng(43)
    dosages = simulate(rng, 300, 80, missing=0.02)
    covariates, values = rng.normal(size=(300, 3)), rng.normal(size=(300, 3))
    values[:50, 1] = np.nan
    values[40:120, 2] = np.nan
    bed = Bed(write_plink(tmp_path / "g.bed", dosages, iids(300)))
    theirs = glm(bed, tmp_path, covariates, values)
    setups = design(covariates, list("abc"), values, list("xyz")).setups
    assert len(setups) == 3
    for setup in setups:
        found = associate(Kernel(setup, dtype=torch.float64), dosages[setup.samples])
        one = theirs[theirs["feature"] == setup.features[0]].sort_values("row")
        assert (found.n == one["OBS_CT"]).all()
        np.testing.assert_allclose(found.beta[:, 0], one["BETA"], rtol=6e-6)
        np.testing.assert_allclose(found.se[:, 0], one["SE"], rtol=6e-6)
