"""Principal components against a dense decomposition; relatives are projected, signs are fixed."""

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.pcs import principal_components
from contigwas.runtime.errors import UserError
from tests.plink_files import child, iids, simulate, write_plink, write_samples

SAMPLES, RELATIVES = 200, [150, 199]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pcs")
    rng = np.random.default_rng(21)
    dosages = np.hstack([simulate(rng, SAMPLES, 300, fst=0.1) for _ in range(2)])
    dosages[:100] = dosages[:100][np.argsort(rng.random(100))]
    dosages[::3, :120] = rng.binomial(2, rng.uniform(0.1, 0.9, 120), (67, 120))
    dosages[150], dosages[199] = child(rng, dosages[3], dosages[4]), child(rng, dosages[160], dosages[161])
    dosages[rng.random(dosages.shape) < 0.01] = -127
    dosages[:, 17] = 2
    order = rng.permutation(SAMPLES)
    names = iids(SAMPLES)
    write_plink(folder / "chr1.bed", dosages[:, :300], names, 1)
    write_plink(folder / "chr2.bed", dosages[order, 300:], [names[one] for one in order], 2)
    write_samples(folder, names)
    for chrom in (1, 2):
        pd.DataFrame({"index": range(300)}).to_parquet(folder / f"pruned{chrom}.parquet")
    pairs = [(3, 150), (4, 150), (160, 199), (161, 199)]
    pd.DataFrame([(names[a], names[b], 0.25) for a, b in pairs], columns=["iid1", "iid2", "kinship"]).to_parquet(
        folder / "kinship.parquet"
    )
    return folder, dosages


def run(folder, kinship=True, pcs=4, seed=1):
    principal_components(
        folder / "chr{chrom}.bed", [1, 2], [folder / "pruned1.parquet", folder / "pruned2.parquet"],
        folder / "samples.parquet", folder / "kinship.parquet" if kinship else None, pcs, seed, folder / "out.parquet",
    )  # fmt: skip
    return pd.read_parquet(folder / "out.parquet")


def standardised(dosages, fitted):
    values = np.where(dosages < 0, np.nan, dosages.astype(float))
    mean = np.nanmean(values[fitted], axis=0)
    scale = np.sqrt(np.maximum(mean * (1 - mean / 2), 0))
    return np.nan_to_num((values - mean) / np.where(scale > 0, scale, np.inf))


def test_dense_decomposition(study):
    folder, dosages = study
    table = run(folder, kinship=False)
    assert table["iid"].tolist() == iids(SAMPLES)
    assert table.columns.tolist() == ["iid", "PC1", "PC2", "PC3", "PC4"]
    vectors, singular, _ = np.linalg.svd(standardised(dosages, np.arange(SAMPLES)), full_matrices=False)
    assert singular[2] < singular[1] * 0.95
    scores = table.iloc[:, 1:].to_numpy()
    np.testing.assert_allclose(np.linalg.norm(scores, axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(vectors[:, :4] * scores, axis=0)), 1, atol=1e-4)
    assert ((scores**3).sum(axis=0) > 0).all()


def test_relatives_are_projected(study):
    folder, dosages = study
    scores = run(folder).iloc[:, 1:].to_numpy()
    fitted = np.setdiff1d(np.arange(SAMPLES), RELATIVES)
    values = standardised(dosages, fitted)
    vectors, singular, right = np.linalg.svd(values[fitted], full_matrices=False)
    signs = np.sign(np.sum(vectors[:, :4] * scores[fitted], axis=0))
    expected = values[RELATIVES] @ right[:4].T / singular[:4] * signs
    np.testing.assert_allclose(scores[RELATIVES], expected, atol=5e-4)
    np.testing.assert_allclose(np.linalg.norm(scores[fitted], axis=0), 1, atol=1e-6)


def test_the_seed_does_not_matter_beyond_the_tolerance(study):
    one, other = (run(study[0], seed=seed).iloc[:, 1:].to_numpy() for seed in (1, 2))
    np.testing.assert_allclose(one, other, atol=2e-3)
    np.testing.assert_array_equal(other, run(study[0], seed=2).iloc[:, 1:].to_numpy())


def test_no_components(study):
    assert run(study[0], pcs=0).columns.tolist() == ["iid"]


def test_too_many_components(study):
    with pytest.raises(UserError, match="200 principal components .* 198 unrelated samples and 600"):
        run(study[0], pcs=200)


def test_as_many_components_as_there_can_be(tmp_path):
    write_plink(tmp_path / "chr1.bed", simulate(np.random.default_rng(3), 12, 40), iids(12), 1)
    write_plink(tmp_path / "chr2.bed", simulate(np.random.default_rng(4), 12, 40), iids(12), 2)
    write_samples(tmp_path, iids(12))
    for chrom in (1, 2):
        pd.DataFrame({"index": range(40)}).to_parquet(tmp_path / f"pruned{chrom}.parquet")
    scores = run(tmp_path, kinship=False, pcs=11).iloc[:, 1:].to_numpy()
    np.testing.assert_allclose(scores.T @ scores, np.eye(11), atol=1e-4)
