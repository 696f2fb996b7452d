"""A study of a .pgen array and an imputed .bgen, with chromosome X: from the files to the GWAS."""

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.genotype_files import expected_dosages, write_bgen, write_pgen, write_sample
from tests.plink_files import iids

pytestmark = pytest.mark.slow

SAMPLES, AUTOSOMAL, LINKED = 90, 60, 20
CHROMS = ["1"] * AUTOSOMAL + ["X"] * LINKED
SEXES = np.array([1, 2] * (SAMPLES // 2))


def shares(rng: np.random.Generator) -> np.ndarray:
    """Probabilities in 8 bits; males are sure on X (0 or 2 copies)."""
    first = rng.integers(0, 256, (SAMPLES, len(CHROMS)))
    second = rng.integers(0, 256 - first)
    males = np.ix_(SEXES == 1, np.array(CHROMS) == "X")
    first[males], second[males] = 255 * (first[males] > 120), 0
    return np.stack([first, second], axis=-1)


@pytest.fixture
def formats(study):
    run = study("phenotypes.yaml")
    rng, names = np.random.default_rng(3), iids(SAMPLES)
    calls = rng.binomial(2, rng.uniform(0.2, 0.8, len(CHROMS)), (SAMPLES, len(CHROMS))).astype(np.int8)
    males = np.ix_(SEXES == 1, np.array(CHROMS) == "X")
    calls[males] = 2 * (calls[males] > 0)
    calls[rng.random(calls.shape) < 0.01] = -127
    write_pgen(run.folder / "array.pgen", calls, names, CHROMS, SEXES.tolist())
    imputed = shares(rng)
    write_bgen(run.folder / "imputed.bgen", imputed, names, CHROMS)
    write_sample(run.folder / "imputed.sample", names, SEXES)
    age = rng.normal(60, 5, SAMPLES)
    pd.DataFrame({"iid": names, "sex": SEXES, "age": age}).to_csv(run.folder / "covariates.tsv", sep="\t", index=False)
    dosages = expected_dosages(imputed, 8)
    traits = pd.DataFrame({"IID": names, "height": rng.normal(size=SAMPLES), "weight": dosages[:, 5]})
    traits.to_csv(run.folder / "traits.tsv", sep="\t", index=False)
    config = yaml.safe_load(run.config.read_text())
    config["genotypes"] |= {"array": "array.pgen", "chromosomes": [1, "X"]}
    config["gwas"] |= {"genotypes": "imputed.bgen", "qc": {"info": 0}}  # random dosages inform poorly
    run.config.write_text(yaml.safe_dump(config))
    return run, calls, dosages


def test_a_pgen_array_and_an_imputed_bgen_with_x(formats):
    run, calls, dosages = formats
    done = run("genotypes", "gwas")
    assert done.status == 0, done.text[-4000:]
    results = run.folder / "results"
    samples = pd.read_parquet(results / "genotypes/samples.parquet")
    checked = pd.read_parquet(results / "genotypes/variants/chr1.parquet")
    kept = calls[:, checked["index"].to_numpy()[checked["kept"]]]
    np.testing.assert_allclose(samples["call_rate"], (kept >= 0).mean(axis=1), err_msg="X is no part of it")
    linked = pd.read_parquet(results / "genotypes/variants/chrX.parquet")
    copies = np.where(SEXES == 1, 1, 2)[:, None] * (calls[:, AUTOSOMAL:] >= 0)
    af = (np.maximum(calls[:, AUTOSOMAL:], 0) / 2 * copies).sum(axis=0) / copies.sum(axis=0)
    np.testing.assert_allclose(linked["af"], af, rtol=1e-6)
    assert not (results / "genotypes/pruned/chrX.parquet").exists()

    tested = np.isin(iids(SAMPLES), pd.read_parquet(results / "models/traits/phenotypes.parquet")["iid"])
    assert tested.sum() > SAMPLES / 2
    gwas = pd.read_parquet(results / "models/traits/gwas/chr1.parquet")
    assert (gwas["n"] == tested.sum()).all()
    np.testing.assert_allclose(gwas["eaf"], dosages[tested, :AUTOSOMAL].mean(axis=0) / 2, rtol=1e-5)
    assert gwas["id"].iat[gwas["log10p_weight"].argmax()] == "rs1_5", "the trait that is this variant's dosage"
    assert gwas["beta_weight"].iat[5] == pytest.approx(1, abs=1e-4)
    gwas = pd.read_parquet(results / "models/traits/gwas/chrX.parquet")
    weights = np.where(SEXES[tested] == 1, 1, 2)[:, None]
    eaf = (dosages[tested, AUTOSOMAL:] / 2 * weights).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(gwas["eaf"], eaf, rtol=1e-5)
    assert not run.dry("genotypes", "gwas").jobs()


def test_a_cut_short_pgen_ends_in_one_sentence(formats):
    run, _, _ = formats
    path = run.folder / "array.pgen"
    path.write_bytes(path.read_bytes()[:-3])
    done = run("genotypes")
    reported = [line for line in done.text.splitlines() if line.startswith("contigwas: ")]
    assert done.status != 0
    assert len(set(reported)) == 1, done.text[-3000:]
    assert "array.pgen" in reported[0] and "truncated" in reported[0]
    assert "Traceback" not in done.text
    assert not (run.folder / "results/genotypes/variants/chr1.parquet").exists()
