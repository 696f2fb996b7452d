"""Clusters: partitions found again, labels, the probe, and that no small count is reported."""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import adjusted_rand_score, silhouette_score

from contigwas.config.check import check_config
from contigwas.config.downstream import models
from contigwas.config.input_files import named_files
from contigwas.downstream.clusters import partitions, task
from contigwas.downstream.clusters.labels import probe, read_labels
from contigwas.downstream.clusters.partitions import by_size, partition, silhouettes
from contigwas.downstream.clusters.task import cluster, features_of_tested
from contigwas.downstream.folds import family_codes
from contigwas.runtime.errors import UserError

pytestmark = pytest.mark.slow

SETTINGS = {
    "scale": "standard",
    "components": 3,
    "k": None,
    "k_max": 6,
    "min_cluster_size": 10,
    "labels": None,
    "seed": 1,
}


def blobs(samples=240, seed=0):
    """Four groups of samples in five features, and the group of each."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, samples)
    centres = 9 * rng.normal(size=(4, 5))
    return centres[group] + rng.normal(size=(samples, 5)), group


def test_clusters_are_numbered_from_the_largest_and_found_again():
    assert by_size(np.array([2, 2, 0, -1, 2, 5, 5])).tolist() == [0, 0, 2, -1, 0, 1, 1]
    features, group = blobs()
    found = partition(features, lambda some: by_size((some @ np.eye(5)[0] > features[:, 0].mean()).astype(int)), 0)
    assert (found.stability == 1).all()  # a fixed rule finds the same in any samples
    drawn = partition(features, lambda some: np.random.default_rng(len(some)).integers(0, 4, len(some)), 0)
    assert abs(drawn.stability.mean()) < 0.05
    assert sum(found.sizes) + found.noise == len(group)


def test_one_sample_far_away_may_miss_the_sample(monkeypatch):
    """The sample of the silhouette is the same for every k, and can miss a cluster."""
    monkeypatch.setattr(partitions, "SILHOUETTE_SAMPLES", 20)
    features = np.random.default_rng(0).normal(size=(200, 3))
    some = np.sort(np.random.default_rng(0).choice(200, 20, replace=False))
    features[np.setdiff1d(np.arange(200), some)[0]] += 1000
    found = silhouettes(features, 3, 0)
    assert found[2] == -1, "k-means finds the one sample and the others"
    assert found[3] == pytest.approx(silhouette_score(features[some], partitions.kmeans(features, 3, 0)[some]))


def write_cohort(folder, iids, families):
    table = {"fid": iids, "iid": iids, "sex": 1, "family": families, "fold": 0, "gwas_included": 1, "exclusion": ""}
    pd.DataFrame(table).to_csv(folder / "cohort.tsv", sep="\t", index=False)
    return folder / "cohort.tsv"


def write(folder, features, group, tested=None):
    iids = [str(1000001 + one) for one in range(len(features))]
    obs = pd.DataFrame({"fold": 0, "role": "train", "gwas_eligible": True if tested is None else tested}, index=iids)
    ad.AnnData(X=features.astype(np.float32), obs=obs).write_h5ad(folder / "embeddings.h5ad")
    table = pd.DataFrame({"iid": iids, "kind": [f"g{one}" for one in group]}).sample(frac=1, random_state=1)
    table.to_csv(folder / "groups.tsv", sep="\t", index=False)
    write_cohort(folder, iids, iids)
    return folder / "embeddings.h5ad", iids


def run(folder, path, **settings):
    outputs = [folder / "o" / name for name in ("t.json", "t.tsv", "t.png")]
    samples = folder / "private" / "t.parquet"
    cluster(path, path.parent / "cohort.tsv", SETTINGS | settings, "kinds", *outputs[:2], outputs[2:], samples)
    return json.loads(outputs[0].read_text()), pd.read_csv(outputs[1], sep="\t"), pd.read_parquet(samples)


def test_planted_groups_are_found(tmp_path):
    features, group = blobs()
    tested = np.arange(len(features)) % 6 > 0
    path, iids = write(tmp_path, features, group, tested)
    reported, tidy, samples = run(tmp_path, path, labels={"table": str(tmp_path / "groups.tsv"), "column": "kind"})
    assert samples["iid"].tolist() == [one for one, is_tested in zip(iids, tested, strict=True) if is_tested]
    assert reported["k"] == 4 and reported["n_samples"] == tested.sum()
    assert (
        reported["labels"]["samples_with"] == tested.sum() and reported["labels"]["unknown_samples"] == (~tested).sum()
    )
    values = tidy.set_index(["arm", "metric"])["value"]
    for arm in ("kmeans", "hdbscan", "probe"):
        assert values[arm, "ari"] > 0.95 and values[arm, "accuracy"] > 0.95
    assert values["kmeans", "ari"] == pytest.approx(adjusted_rand_score(samples["label"], samples["kmeans"]))
    assert (samples["label"] == [f"g{one}" for one in group[tested]]).all()
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700
    assert list(tidy.columns) == ["arm", "share", "seed", "metric", "value", "low", "high", "n_samples"]


def test_without_labels_there_are_sizes_criterion_and_stability(tmp_path):
    features, group = blobs()
    path, _ = write(tmp_path, features, group)
    reported, tidy, samples = run(tmp_path, path, k=3)
    assert reported["k"] == 3 and sum(reported["kmeans"]["sizes"]) == len(features)
    assert set(tidy["metric"]) == {"stability", "stability_seeds", "silhouette", "noise"} and "label" not in samples
    assert set(reported["criterion"]) == {"name", "2", "3", "4", "5", "6"}


def test_small_counts_are_not_reported(tmp_path):
    features, group = blobs()
    features[:3] += 100  # three samples far away
    path, _ = write(tmp_path, features, group)
    assert run(tmp_path, path, k=2)[0]["kmeans"]["sizes"] == [">=230", "<5"], (
        "all samples without a large cluster are a small one"
    )
    reported, _, _ = run(tmp_path, path, k=2, labels={"table": str(tmp_path / "groups.tsv"), "column": "kind"})
    assert "sizes" not in reported["kmeans"], "a sum would disclose the hidden cell of a row"
    assert not {1, 2, 3, 4} & {count for row in reported["kmeans"]["counts"] for count in row}


def test_noise_of_few_samples_is_not_reported(tmp_path, caplog, monkeypatch):
    def all_but_three(some, size):
        return np.where(np.arange(len(some)) < 3, -1, (some[:, 0] > 0).astype(int))

    monkeypatch.setattr(task, "hdbscan", all_but_three)
    features, group = blobs()
    path, _ = write(tmp_path, features, group)
    with caplog.at_level("INFO"):
        for labels in (None, {"table": str(tmp_path / "groups.tsv"), "column": "kind"}):
            reported, tidy, _ = run(tmp_path, path, labels=labels)
            assert "noise" not in set(tidy["metric"]) | {row["metric"] for row in reported["metrics"]}
    assert "hdbscan: 2 clusters of 240 samples" in caplog.text and not any("3 of 240" in one for one in caplog.messages)


def test_samples_without_a_label_are_not_reported(tmp_path, caplog):
    features, group = blobs()
    path, iids = write(tmp_path, features, group)
    labels = pd.DataFrame({"iid": [*iids[3:], "x1", "x2"], "kind": [f"g{one}" for one in [*group[3:], 0, 1]]})
    labels.to_csv(tmp_path / "some.tsv", sep="\t", index=False)
    with caplog.at_level("INFO"):
        reported, tidy, _ = run(tmp_path, path, labels={"table": str(tmp_path / "some.tsv"), "column": "kind"})
    assert reported["labels"] | {"names": 0} == {
        "names": 0, "samples_with": "all but <5", "samples_without": "<5", "unknown_samples": "<5"
    }  # fmt: skip
    assert "237" not in json.dumps(reported) + tidy.to_csv() + caplog.text
    assert "of 240 samples <5 have no label; <5 samples of" in caplog.text
    agreeing = tidy[tidy["metric"] == "accuracy"]
    assert len(agreeing) == 3 and agreeing["n_samples"].isna().all()
    for arm in ("kmeans", "hdbscan", "probe"):
        assert any(isinstance(cell, str) for row in reported[arm]["counts"] for cell in row), "their sum is 237"


def test_the_share_of_correct_samples_does_not_disclose_how_few_are_wrong(tmp_path):
    features, group = blobs()
    path, _ = write(tmp_path, features, np.where(np.arange(240) < 3, (group + 1) % 4, group))
    reported, tidy, _ = run(tmp_path, path, labels={"table": str(tmp_path / "groups.tsv"), "column": "kind"}, k=4)
    assert "<5" in {cell for row in reported["kmeans"]["counts"] for cell in row}
    values = tidy[(tidy["arm"] == "kmeans") & tidy["metric"].isin(["accuracy", "ari", "nmi"])]
    steps = values[["value", "low", "high"]].to_numpy() * 24
    assert np.allclose(steps[steps < 24], np.round(steps[steps < 24])), "237 / 240 would be it"


def test_directions_are_clustered_whatever_their_length(tmp_path):
    """Groups that differ in the direction of the network's features, whose lengths differ a hundredfold."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4, 240)
    raw = (np.eye(4)[group] + 0.08 * rng.normal(size=(240, 4))) * np.exp(rng.uniform(-2.3, 2.3, (240, 1)))
    mean, sd = raw.mean(axis=0), raw.std(axis=0)
    path, iids = write(tmp_path, (raw - mean) / sd, group)
    data = ad.read_h5ad(path)
    data.uns |= {"mean0": mean, "sd0": sd}
    data.write_h5ad(path)
    found, features = features_of_tested(path, "unit", 0, "here")
    assert list(found) == iids
    assert np.allclose(features, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-5)
    labels = {"table": str(tmp_path / "groups.tsv"), "column": "kind"}
    values = {
        scale: run(tmp_path, path, scale=scale, labels=labels)[1].set_index(["arm", "metric"])["value"]["kmeans", "ari"]
        for scale in ("unit", "standard")
    }
    assert values["unit"] > 0.95 > values["standard"]


def labelled(folder, group, iids):
    path = folder / "labels.tsv"
    pd.DataFrame({"iid": iids, "kind": group}).to_csv(path, sep="\t", index=False)
    return path


def test_samples_without_a_label_are_counted(tmp_path):
    path = labelled(tmp_path, ["a", "NA", "b", "", "a"], ["1", "2", "3", "4", "9"])
    labels = read_labels(path, "kind", ["1", "2", "3", "4", "5"], "the tested samples")
    assert labels.codes.tolist() == [0, -1, 1, -1, -1] and labels.unknown == 1 and labels.names == ["a", "b"]


def test_numbers_are_labels_too(tmp_path):
    path = labelled(tmp_path, ["1", "2", "NA", "1"], ["1", "2", "3", "4"])
    assert read_labels(path, "kind", ["1", "2", "3", "4"], "samples").names == ["1", "2"]


@pytest.mark.parametrize(("column", "asked"), [("kind", "kind"), ("Kind", "kind"), ("kind", "Kind")])
@pytest.mark.parametrize("iid", ["iid", "IID"])
@pytest.mark.parametrize("indexed", [False, True])
def test_parquet_is_read_as_text_is(tmp_path, iid, column, asked, indexed):
    table = pd.DataFrame({iid: ["3", "1", "2"], column: ["b", "a", None], "sort": 1})
    (table.set_index(iid) if indexed else table).to_parquet(tmp_path / "labels.parquet")
    table.to_csv(tmp_path / "labels.tsv", sep="\t", index=False)
    for name in ("labels.parquet", "labels.tsv"):
        labels = read_labels(tmp_path / name, asked, ["1", "2", "3"], "the tested samples")
        assert labels.codes.tolist() == [0, -1, 1] and labels.names == ["a", "b"]


@pytest.mark.parametrize("name", ["labels.parquet", "labels.tsv"])
@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (["iid", "Kind", "kind"], "has the columns Kind, kind, which differ only in case"),
        (["iid", "IID", "kind"], "has the columns iid, IID, which differ"),
        (["iid", "sort", "more"], "has no column kind"),
    ],
)
def test_columns_of_labels_that_are_ambiguous(tmp_path, name, columns, sentence):
    table = pd.DataFrame([["1", "a", "b"], ["2", "b", "a"]], columns=columns)
    if name.endswith("parquet"):
        table.to_parquet(tmp_path / name)
    else:
        table.to_csv(tmp_path / name, sep="\t", index=False)
    with pytest.raises(UserError, match=sentence):
        read_labels(tmp_path / name, "kind", ["1", "2"], "the tested samples")


def test_a_parquet_file_of_labels_that_is_none_is_reported(tmp_path):
    (tmp_path / "labels.parquet").write_text("iid\tkind\n1\ta\n")
    with pytest.raises(UserError, match=r"labels.parquet is not a Parquet file \(labels\): write it again"):
        read_labels(tmp_path / "labels.parquet", "kind", ["1", "2"], "the tested samples")


@pytest.mark.parametrize(
    ("values", "column", "sentence"),
    [
        (["a"] * 4, "kind", "column kind is a in <5 samples"),
        (["NA"] * 4, "kind", "is empty in 4 samples"),
        (["a", "b", "a", "b"], "sort", "has no column sort"),
    ],
)
def test_labels_that_are_none(tmp_path, values, column, sentence):
    path = labelled(tmp_path, values, ["1", "2", "3", "4"])
    with pytest.raises(UserError, match=sentence):
        read_labels(path, column, ["1", "2", "3", "4"], "the tested samples")


def test_a_column_of_measurements_is_no_label(tmp_path):
    iids = [str(one) for one in range(80)]
    path = labelled(tmp_path, np.arange(80) / 7, iids)
    with pytest.raises(UserError, match="80 values among 80 samples"):
        read_labels(path, "kind", iids, "the tested samples")


def test_labels_without_a_common_sample(tmp_path):
    path = labelled(tmp_path, ["a", "b"], ["HG1", "HG2"])
    with pytest.raises(UserError, match="no sample is in both") as reported:
        read_labels(path, "kind", ["1000001", "1000002"], "the tested samples")
    assert "1000001" not in str(reported.value)


def test_fewer_samples_than_clusters(tmp_path):
    features, group = blobs(8)
    path, _ = write(tmp_path, features, group)
    with pytest.raises(UserError, match=r"downstream.kinds: 8 samples .* too few for 9 clusters"):
        run(tmp_path, path, k=9)
    with pytest.raises(UserError, match=r"min_cluster_size is 10, but only 8 samples .*Set it to at most 6"):
        run(tmp_path, path)


@pytest.mark.parametrize(
    ("samples", "settings", "sentence"),
    [
        (22, {"min_cluster_size": 20}, r"min_cluster_size is 20, but only 22 samples .*\(17\)\. Set it to at most 17"),
        (10, {"k": 9, "k_max": 9, "min_cluster_size": 2}, r"10 samples .*\(8\), too few for 9 .*Set k to at most 8"),
    ],
)
def test_samples_that_suffice_except_for_the_resamples(tmp_path, samples, settings, sentence):
    features, group = blobs(samples)
    path, _ = write(tmp_path, features, group)
    with pytest.raises(UserError, match=sentence):
        run(tmp_path, path, **settings)


def test_k_max_is_that_of_the_resamples(tmp_path):
    features = np.repeat(np.eye(5), 2, axis=0)[:9] * 1000 + np.random.default_rng(0).normal(size=(9, 5))
    path, _ = write(tmp_path, features, np.arange(9))
    reported, *_ = run(tmp_path, path, k_max=20, min_cluster_size=2, components=0)
    assert max(int(k) for k in reported["criterion"] if k != "name") == 7


def test_hdbscan_is_found_again_in_few_samples():
    features, _ = blobs()
    seen = []

    def find(some):
        seen.append(some)
        return (some[:, 0] > features[:, 0].mean()).astype(int)

    assert (partition(features, find, 0, max_resampled=50).stability == 1).all()
    assert len(seen[0]) == 240 and {len(one) for one in seen[1:]} == {40}
    assert len({tuple(row) for one in seen[1:] for row in one}) == 50, "drawn once"


def test_too_many_samples_for_hdbscan(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "HDBSCAN_SAMPLES", 200)
    features, group = blobs()
    path, _ = write(tmp_path, features, group)
    for labels in (None, {"table": str(tmp_path / "groups.tsv"), "column": "kind"}):
        reported, tidy, samples = run(tmp_path, path, labels=labels)
        assert (
            reported["hdbscan"] == {"skipped": reported["hdbscan"]["skipped"]}
            and "240 samples" in reported["hdbscan"]["skipped"]
        )
        assert "hdbscan" not in samples and "hdbscan" not in set(tidy["arm"]) and "kmeans" in samples


def test_a_label_of_one_sample_is_wrong_in_the_probe():
    features, group = blobs()
    group = group.copy()
    group[0] = 4
    predicted = probe(features, group, np.arange(len(group)), 0)
    assert predicted[0] != 4 and (predicted[1:] == group[1:]).mean() > 0.95
    assert probe(features[:6], np.array([0, 0, 0, 1, 1, 1]), np.arange(6), 0) is None


def test_relatives_do_not_leak_into_the_probe():
    """Families of three alike samples with one label, which has nothing else to do with the features."""
    rng = np.random.default_rng(0)
    families = np.repeat(np.arange(60), 3)
    features = np.repeat(9 * rng.normal(size=(60, 90)), 3, axis=0) + 0.01 * rng.normal(size=(180, 90))
    codes = np.repeat(rng.permutation(60) % 2, 3)
    assert (probe(features, codes, np.arange(180), 0) == codes).mean() > 0.9, "relatives leak each other's labels"
    assert (probe(features, codes, families, 0) == codes).mean() < 0.7
    assert probe(features, codes, np.arange(180) % 4, 0) is None, "fewer families than folds"


def test_a_sample_outside_the_cohort_is_a_family(tmp_path):
    path = write_cohort(tmp_path, ["1", "2", "3", "4"], ["f", "g", "f", ""])
    found = family_codes(["9", "3", "2", "1", "8", "4"], path)
    assert found[1] == found[3] and len(set(found)) == 5


def config(**downstream):
    path = Path(__file__).resolve().parents[2] / "config/examples/autoencoder.yaml"
    config = yaml.safe_load(path.read_text())
    config["models"]["latents"] = {"phenotypes": "latents.tsv"}
    config["downstream"] = {"kinds": {"task": "clusters"} | downstream}
    check_config(config)
    return config


def test_models_with_embeddings_are_clustered():
    assert models(config(), "kinds") == ["contrastive", "plain", "variational"]
    assert models(config(models=["plain"]), "kinds") == ["plain"]


@pytest.mark.parametrize(
    ("downstream", "sentence"),
    [
        (
            {"models": ["latents"]},
            "downstream.kinds.models names latents, which has user-supplied phenotypes, but no embeddings",
        ),
        ({"models": ["other"]}, "downstream.kinds.models names other, which is not one of models"),
        ({"k": 12}, "downstream.kinds.k is 12, more than its k_max of 10"),
        ({"labels": {"table": "t.tsv"}}, "downstream.kinds.labels: column is missing"),
        ({"steps": 3}, "downstream.kinds has an unknown key steps"),
    ],
)
def test_settings_that_make_no_sense(downstream, sentence):
    with pytest.raises(UserError, match=sentence):
        config(**downstream)


def test_the_table_of_labels_must_be_there():
    there = dict(named_files(config(labels={"table": "t.tsv", "column": "kind"})))
    assert there["downstream.kinds.labels.table"] == "t.tsv"
