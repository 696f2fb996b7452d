"""Alignment: rotated networks agree, and each sample comes from the network that held it out."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from contigwas.align import align, correlations, external, procrustes, standardise
from contigwas.runtime.errors import UserError

SAMPLES, FEATURES = 300, 8


def rotation(seed, size=FEATURES):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def write_folds(folder, folds=3, noise=0.0, seed=0):
    """Networks with the same features in different rotations and orders of samples."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(SAMPLES, FEATURES))
    iids = pd.Index([str(1000001 + number) for number in range(SAMPLES)])
    held = rng.integers(0, folds, SAMPLES) if folds > 1 else np.full(SAMPLES, -1)
    paths = []
    for fold in range(folds):
        role = np.where(held == fold, "heldout", np.where(rng.random(SAMPLES) < 0.1, "validation", "train"))
        train = truth[role == "train"]
        whitened = (truth - train.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(train.T, bias=True))).T
        values = whitened @ rotation(fold) + noise * rng.normal(size=truth.shape)
        order = np.arange(SAMPLES) if fold == 0 else rng.permutation(SAMPLES)
        values = values * 3 + 5  # another scale: only standardising takes it away
        obs = pd.DataFrame({"role": role[order], "n_images": 2}, index=iids[order])
        paths.append(folder / f"{fold}.h5ad")
        data = ad.AnnData(X=values[order].astype(np.float32), obs=obs)
        data.var_names = [f"F{number}" for number in range(1, FEATURES + 1)]
        data.write_h5ad(paths[-1])
    return paths, held, iids


def run(folder, paths, genetics=True):
    align(paths, folder / "aligned.h5ad", folder / "alignment.json", genetics)
    return ad.read_h5ad(folder / "aligned.h5ad"), json.loads((folder / "alignment.json").read_text())


def test_procrustes_undoes_a_rotation():
    values = np.random.default_rng(0).normal(size=(50, FEATURES))
    found = procrustes(values @ rotation(1), values)
    assert found == pytest.approx(rotation(1).T, abs=1e-10)
    assert found @ found.T == pytest.approx(np.eye(FEATURES), abs=1e-10)


def test_procrustes_is_the_best_of_many_rotations():
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(2, 40, 4))
    best = np.linalg.norm(source @ procrustes(source, target) - target)
    assert all(best <= np.linalg.norm(source @ rotation(seed, 4) - target) for seed in range(200))


def test_standardise_uses_the_training_samples_and_accepts_a_constant_feature():
    values = np.array([[1.0, 7], [3, 7], [100, 8]])
    got, mean, sd = standardise(values, np.array(["train", "train", "heldout"]))
    assert got.tolist() == [[-1, 0], [1, 0], [98, 1]]
    assert mean.tolist() == [2, 7] and sd.tolist() == [1, 1]


def test_correlations_against_numpy():
    first, second = np.random.default_rng(2).normal(size=(2, 30, 3))
    expected = [np.corrcoef(first[:, column], second[:, column])[0, 1] for column in range(3)]
    assert correlations(first, second) == pytest.approx(expected)
    assert np.isnan(correlations(np.ones((5, 1)), np.arange(5.0)[:, None]))[0]


def test_each_sample_comes_from_the_network_that_held_it_out_in_the_coordinates_of_fold_0(tmp_path):
    paths, held, iids = write_folds(tmp_path)
    data, report = run(tmp_path, paths)
    assert data.obs_names.tolist() == iids.tolist()
    assert data.obs["fold"].tolist() == held.tolist()
    assert data.obs["gwas_eligible"].all() and (data.obs["role"] == "heldout").all()
    first = ad.read_h5ad(paths[0])
    reference, mean, sd = standardise(first.X, first.obs["role"].to_numpy())
    own = held == 0
    assert data.X[own] == pytest.approx(reference[own], abs=1e-5)
    assert np.corrcoef(data.X[~own].ravel(), reference[~own].ravel())[0, 1] > 0.97
    assert data.uns["mean0"] == pytest.approx(mean) and data.uns["sd0"] == pytest.approx(sd)
    for figures in report["folds"][1:]:
        assert figures["mean_correlation_after"] > 0.97 > 0.5 > figures["mean_correlation_before"]


def test_rotation_is_fitted_on_samples_that_both_networks_trained_on(tmp_path):
    """The rotation does not depend on the held-out samples."""
    paths, held, _ = write_folds(tmp_path, noise=0.3)
    before, report = run(tmp_path, paths)
    changed = ad.read_h5ad(paths[1])
    others = (changed.obs["role"] != "train").to_numpy()
    changed.X[others] = np.random.default_rng(5).normal(size=(others.sum(), FEATURES)) * 50
    changed.write_h5ad(paths[1])
    after, report_after = run(tmp_path, paths)
    assert report == report_after
    assert np.array_equal(before.X[held != 1], after.X[held != 1])
    roles = [ad.read_h5ad(path).obs["role"] for path in paths]
    shared = set(roles[0].index[roles[0] == "train"]) & set(roles[2].index[roles[2] == "train"])
    assert report["folds"][2]["samples_shared"] == len(shared)


@pytest.mark.parametrize("genetics", [True, False])
def test_one_network_tests_only_the_held_out_samples_if_it_used_genetics(tmp_path, genetics):
    paths, *_ = write_folds(tmp_path, folds=1)
    first = ad.read_h5ad(paths[0])
    role = np.where(np.arange(SAMPLES) % 3 == 0, "heldout", "train")
    first.obs["role"] = role
    first.write_h5ad(paths[0])
    data, report = run(tmp_path, paths, genetics)
    assert data.obs["gwas_eligible"].tolist() == ((role == "heldout") if genetics else np.ones(SAMPLES, bool)).tolist()
    assert np.allclose(data.X, standardise(first.X, role)[0], atol=1e-5)
    assert report["tested"] == int(data.obs["gwas_eligible"].sum())


def write_cohort(folder, iids, exclusion=""):
    cohort = pd.DataFrame({"fid": iids, "iid": iids, "sex": 1, "family": iids, "fold": 0})
    cohort["gwas_included"], cohort["exclusion"] = 1, exclusion
    cohort.to_csv(folder / "cohort.tsv", sep="\t", index=False)
    return folder / "cohort.tsv"


def test_external_embeddings_are_joined_by_iid_and_the_incomplete_left_out(tmp_path):
    values = np.random.default_rng(0).normal(3, 2, (20, 4))
    values[5, 2] = np.nan
    iids = pd.Index([str(100 + number) for number in range(20)])
    ad.AnnData(X=values, obs=pd.DataFrame(index=iids)).write_h5ad(tmp_path / "mine.h5ad")
    cohort = write_cohort(tmp_path, iids[:15][::-1])
    external(tmp_path / "mine.h5ad", cohort, tmp_path / "aligned.h5ad", tmp_path / "alignment.json")
    data = ad.read_h5ad(tmp_path / "aligned.h5ad")
    use = [number for number in range(15) if number != 5]
    assert data.obs_names.tolist() == iids[use].tolist()
    assert np.allclose(data.X, (values[use] - values[use].mean(axis=0)) / values[use].std(axis=0), atol=1e-5)
    assert data.obs["gwas_eligible"].all() and (data.obs["fold"] == 0).all()


def test_external_embeddings_of_other_samples_are_refused(tmp_path):
    ad.AnnData(X=np.ones((3, 2)), obs=pd.DataFrame(index=["HG00096", "HG00097", "HG00099"])).write_h5ad(
        tmp_path / "mine.h5ad"
    )
    cohort = write_cohort(tmp_path, ["1000001", "1000002"])
    with pytest.raises(UserError, match=r"3 samples, IDs of HG and 5 digits.*2 samples, IDs of 7 digits"):
        external(tmp_path / "mine.h5ad", cohort, tmp_path / "aligned.h5ad", tmp_path / "alignment.json")
