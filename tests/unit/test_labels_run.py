"""A classification from labels to scores, with networks that were pretrained on the cohort and for an external set."""

import json
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contigwas.downstream.labels import run as running
from contigwas.downstream.labels.external_images import write_features, write_task_images
from contigwas.downstream.labels.run import build, load, predict, training_subset, unlearnable_splits
from contigwas.downstream.labels.summary import summarise
from contigwas.downstream.labels.table import write_labels
from contigwas.embed import embed
from contigwas.pretrain.pretrained import read_checkpoint
from contigwas.pretrain.roles import HELDOUT, roles_of
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_included
from tests.label_files import SIZE, TASK, outputs, write_grades, write_table
from tests.unit.pretraining import RECIPE, run, write_study

pytestmark = pytest.mark.slow

EMBED = {"checkpoint": "last", "augment": 0, "layer": "trunk", "math_threads": 1}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A cohort of 60, whose images' brightness is the label, the networks of a cross-fitted model and features."""
    folder = tmp_path_factory.mktemp("labels")
    files = write_study(folder)
    checkpoints, embeddings = [], []
    for fold in range(3):
        run(folder, files, RECIPE | {"epochs": 1}, fold, f"fold{fold}")
        checkpoints.append(folder / f"fold{fold}" / "model.ckpt")
        embeddings.append(folder / f"fold{fold}" / "embeddings.h5ad")
        embed(checkpoints[-1], files["images_npy"], files["images_table"], files["cohort"], EMBED, embeddings[-1])
    images = pd.read_parquet(files["images_table"])
    bright = pd.Series(np.load(files["images_npy"]).mean(axis=(1, 2, 3)), images["iid"]).groupby(level=0).mean()
    samples = read_included(files["cohort"])["iid"]
    grade = pd.cut(bright.reindex(samples), bright.quantile([0, 0.35, 0.7, 1]), labels=False, include_lowest=True)
    table = write_table(folder / "labels.tsv", iid=samples, grade=grade.fillna(1).astype(int).to_numpy())
    task = TASK | {"table": str(table)}
    write_labels(task, files["cohort"], *outputs(folder))
    return folder, files, checkpoints, embeddings, task


def fitted(study, name, seed=0, images=True, embeddings=None, checkpoints=None, **changes):
    folder, files, trained, made, task = study
    places = folder / "private" / name / "predictions.parquet", folder / "private" / name / "skipped.tsv"
    both = (files["images_npy"], files["images_table"]) if images else None
    trained = trained if checkpoints is None else checkpoints
    predict(*outputs(folder), embeddings or made, trained, both, task | changes, seed, *places)
    return places


@pytest.fixture(scope="module")
def seeds(study):
    arms = ["probe", "knn", "finetuned", "scratch"]
    return [fitted(study, f"seed{seed}", seed, arms=arms, steps=60, shares=[0.03, 0.5, 1.0]) for seed in range(2)]


def test_each_sample_is_tested_once_by_the_network_that_held_it_out(study, seeds):
    _, files, checkpoints, _, _ = study
    rows = pd.read_parquet(seeds[0][0])
    samples = read_included(files["cohort"])
    assert not rows.duplicated(["iid", "arm", "share"]).any()
    assert rows.groupby(["arm", "share"])["iid"].nunique().tolist() == [58] * 8, "the first has no image"
    for fold, path in enumerate(checkpoints):
        held = set(samples["iid"][roles_of(samples, read_checkpoint(path)) == HELDOUT])
        assert set(rows.loc[rows["network"] == fold, "iid"]) <= held
    assert set(rows["seen"]) == {0}


def test_probes_take_the_features_of_the_splits_network(study, monkeypatch):
    """Of the same network on both sides: features of two networks are not of one space."""
    asked = []
    monkeypatch.setattr(running, "probe", lambda *given: asked.append(given) or np.zeros((len(given[2]), 1)))
    fitted(study, "asked", images=False, arms=["probe"], shares=[1.0])
    family = read_included(study[1]["cohort"]).set_index("iid")["family"]
    for fold, (train, values, test, _, _, families, _) in enumerate(asked):
        data = ad.read_h5ad(study[3][fold])
        roles = data.obs["role"].to_numpy()
        assert len(test) == (roles == HELDOUT).sum()
        everyone = np.asarray(data.X, float)
        assert all((everyone[roles == HELDOUT] == one).all(axis=1).any() for one in test)
        assert all((everyone[roles != HELDOUT] == one).all(axis=1).any() for one in train)
        assert len(train) == len(values)
        assert [*families] == family[data.obs_names[roles != HELDOUT]].tolist()


def test_a_share_of_one_grade_is_reported_and_left_out(seeds):
    rows, skipped = pd.read_parquet(seeds[0][0]), pd.read_csv(seeds[0][1], sep="\t")
    assert set(rows["share"]) == {0.5, 1.0}
    assert set(skipped["share"]) == {0.03}
    assert (skipped["reason"] == "all grades are equal").all()
    assert skipped["n_samples"].isin([1, 2]).all(), "0.03 of some 39"


def test_a_share_with_a_missing_grade_is_learned(study):
    """A share with a missing class is not learned: its probability would be undefined."""
    _, files, checkpoints, embeddings, task = study
    found = load(*outputs(study[0]), embeddings, checkpoints, (files["images_npy"], files["images_table"]), task)
    share = 0.06  # two or three of some 39
    grades = {len(np.unique(found.values[training_subset(found, one, share, task, 0)])) for one in found.splits}
    assert min(grades) == 2
    assert unlearnable_splits(found, task | {"shares": [share]}, 0).empty
    classes = replace(found, target=replace(found.target, kind="multiclass"))
    assert set(unlearnable_splits(classes, task | {"shares": [share]}, 0)["reason"]) == {
        "only 2 of the 3 classes are present"
    }


def test_brightness_is_learned(study, seeds):
    """Far from chance: the label is what the network sees first."""
    rows = pd.read_parquet(seeds[0][0]).merge(pd.read_parquet(outputs(study[0])[0]), on="iid")
    for arm in ("probe", "finetuned"):
        own = rows[(rows["arm"] == arm) & (rows["share"] == 1.0)]
        assert np.corrcoef(own["p0"], own["y0"])[0, 1] > 0.6, arm


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(study, seeds):
    again = fitted(study, "again", 0, arms=["probe", "finetuned"], steps=60, shares=[0.5])[0]
    again = pd.read_parquet(again)
    first, second = (pd.read_parquet(one[0]) for one in seeds)
    same = first[(first["share"] == 0.5) & first["arm"].isin(["probe", "finetuned"])].reset_index(drop=True)
    order = ["arm", "iid"]
    pd.testing.assert_frame_equal(
        again.sort_values(order, ignore_index=True), same.sort_values(order, ignore_index=True)
    )
    assert not np.allclose(first["p0"], second["p0"])


def test_what_the_seeds_say_together(study, seeds, tmp_path):
    made = {name: tmp_path / f"grade.{name}" for name in ("json", "tsv", "png")}
    samples = tmp_path / "private/samples.parquet"
    predicted, skipped = zip(*seeds, strict=True)
    summarise(
        "contig", "grade", *outputs(study[0]), predicted, skipped, study[4], made["json"], made["tsv"], samples,
        [made["png"]],
    )  # fmt: skip
    table = pd.read_csv(made["tsv"], sep="\t")
    assert list(table.columns) == ["arm", "share", "seed", "metric", "value", "low", "high", "n_samples"]
    assert set(table["metric"]) == {
        "kappa", "auroc", "auroc:>=1", "auroc:>=2", "accuracy", "balanced_accuracy", "mae"
    }  # fmt: skip
    over = table[table["seed"].isna() & (table["metric"] == "kappa") & (table["share"] == 1.0)].set_index("arm")
    assert {"probe", "scratch", "probe - knn", "finetuned - scratch"} <= set(over.index)
    assert (over["low"] <= over["value"]).all() and (over["value"] <= over["high"]).all()
    private = pd.read_parquet(samples)
    own = private[(private["arm"] == "probe") & (private["share"] == 1.0)]
    accuracy = [(np.floor(part["p0"] + 0.5).clip(0, 2) == part["y0"]).mean() for _, part in own.groupby("seed")]
    reported = table[(table["arm"] == "probe") & (table["share"] == 1.0) & (table["metric"] == "accuracy")]
    assert reported["value"].tolist() == pytest.approx([*accuracy, np.mean(accuracy)])
    said = json.loads(made["json"].read_text())
    assert said["n_samples"] == 58
    assert {(one["share"], one["seed"]) for one in said["skipped"]} == {(0.03, 0), (0.03, 1)}
    assert sum(one["test"] for one in said["splits"]) == 58
    for path in (made["json"], made["tsv"]):
        assert not [one for one in set(private["iid"]) if one in path.read_text()]
    assert samples.parent.stat().st_mode & 0o777 == 0o700


def test_shares_of_which_none_suffices(study, tmp_path):
    places = fitted(study, "none", images=False, shares=[0.03])
    made = [tmp_path / name for name in ("a.json", "a.tsv", "private/p.parquet")]
    with pytest.raises(UserError, match="no share of the labels can be learned"):
        summarise(
            "contig", "grade", *outputs(study[0]), [places[0]], [places[1]], study[4], *made, [tmp_path / "a.png"]
        )


def test_features_that_are_not_finite_are_reported_with_their_file(study, tmp_path):
    data = ad.read_h5ad(study[3][1])
    data.X[3, 2] = np.nan
    data.write_h5ad(tmp_path / "embeddings.h5ad")
    with pytest.raises(UserError) as reported:
        fitted(study, "odd", images=False, embeddings=[study[3][0], tmp_path / "embeddings.h5ad", study[3][2]])
    assert str(reported.value).startswith(f"{tmp_path}/embeddings.h5ad: features are NaN or infinite")
    assert "for 1 of the 58 labelled samples" in str(reported.value)
    assert data.obs_names[3] not in str(reported.value)


def test_features_that_were_external_are_split_by_hash(study):
    rows = pd.read_parquet(fitted(study, "external", images=False, embeddings=study[3][:1], checkpoints=[])[0])
    assert rows.groupby(["arm", "share"])["iid"].nunique().tolist() == [58] * 4
    assert rows["seen"].isna().all()
    assert rows["split"].nunique() == 3


def test_training_samples_of_applied_networks_are_not_tested(study, tmp_path):
    data = ad.read_h5ad(study[3][0])
    data.obs["role"] = [["train", "validation", "new", "new"][place % 4] for place in range(data.n_obs)]
    data.obs["gwas_eligible"] = (data.obs["role"] == "new").to_numpy()
    data.write_h5ad(tmp_path / "embeddings.h5ad")
    applied = {"images": False, "embeddings": [tmp_path / "embeddings.h5ad"], "checkpoints": []}
    rows = pd.read_parquet(fitted(study, "applied", **applied, shares=[1.0])[0])
    assert set(rows["iid"]) == set(data.obs_names[data.obs["gwas_eligible"]]) & set(
        pd.read_parquet(outputs(study[0])[0])["iid"]
    )
    assert set(rows["seen"]) == {0}
    assert rows.groupby("split")["train"].first().sum() == 2 * 58, "all others train in each of three splits"
    data.obs["role"], data.obs["gwas_eligible"] = "heldout", True
    data.write_h5ad(tmp_path / "embeddings.h5ad")
    rows = pd.read_parquet(fitted(study, "user-supplied and aligned", **applied, shares=[1.0])[0])
    assert rows["iid"].nunique() == 58 and rows["seen"].isna().all()


def test_networks_start_from_the_splits_weights_or_from_new_ones(study):
    _, files, checkpoints, embeddings, task = study
    images = files["images_npy"], files["images_table"]
    found = load(*outputs(study[0]), embeddings, checkpoints, images, task)
    for fold in range(3):
        weights = torch.load(checkpoints[fold], weights_only=True)["state_dict"]
        tuned, scratch = build("finetuned", found, fold), build("scratch", found, fold)
        assert torch.equal(tuned.trunk.conv1.weight, weights["trunk.conv1.weight"])
        assert not torch.equal(scratch.trunk.conv1.weight, weights["trunk.conv1.weight"])
        assert torch.equal(scratch.pixels.mean, weights["pixels.mean"])


def test_both_arms_train_in_training_mode(study, monkeypatch):
    """Whether their weights were read from a checkpoint, which comes in evaluation, or drawn."""
    modes, original = [], running.finetune

    def watched(network, *arguments):
        seen, before = set(), int(network.trunk.bn1.num_batches_tracked)
        network.trunk.bn1.register_forward_pre_hook(lambda one, _: seen.add(one.training))
        found = original(network, *arguments)
        modes.append((arguments[-1], seen, int(network.trunk.bn1.num_batches_tracked) - before))
        return found

    monkeypatch.setattr(running, "finetune", watched)
    fitted(study, "modes", arms=["finetuned", "scratch"], shares=[1.0], steps=10)
    assert modes == [(arm, {True, False}, 10) for arm in ("finetuned", "scratch")] * 3


def test_a_sample_is_the_mean_of_their_images(study, monkeypatch):
    """Both eyes are predicted, then averaged as probabilities."""
    from contigwas.downstream.labels import finetune
    from contigwas.downstream.labels.kinds import Target

    class Mean(nn.Module):
        learned = ()

        def forward(self, levels):
            return 9 * levels.mean(dim=(1, 2, 3))[:, None] - 4

    _, files, checkpoints, embeddings, task = study
    found = load(*outputs(study[0]), embeddings, checkpoints, (files["images_npy"], files["images_table"]), task)
    monkeypatch.setattr(finetune, "train_network", lambda module, *_: module.network)
    samples = np.array([7, 2])
    said = finetune.finetune(
        Mean(), found.photographs, (found.values > 0).astype(float), np.arange(10), samples,
        Target("binary", ("grade",), ("0", "1")), task, True, (1, 2), "finetuned",
    )  # fmt: skip
    images, pixels = pd.read_parquet(files["images_table"]), np.load(files["images_npy"]) / 255
    for place, sample in enumerate(samples):
        rows = images.loc[images["iid"] == found.samples["iid"][sample], "row"]
        each = 1 / (1 + np.exp(4 - 9 * pixels[rows].mean(axis=(1, 2, 3))))
        assert len(each) == 2
        assert said[place, 0] == pytest.approx(each.mean(), abs=1e-5)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_every_kind_runs(study, kind, tmp_path):
    folder, files, checkpoints, embeddings, task = study
    samples = pd.read_parquet(outputs(folder)[0])
    columns = {
        "grade": samples["y0"].astype(int),
        "one": (samples["y0"] > 0).astype(int),
        "two": (samples["y0"] > 1) * 1,
    }
    table = write_table(tmp_path / "t.tsv", iid=samples["iid"], **columns)
    column = {"binary": "one", "multiclass": "grade", "multilabel": ["one", "two"], "regression": "grade"}[kind]
    task = task | {"table": str(table), "column": column, "kind": kind, "class_weights": kind != "regression"}
    if kind == "regression":
        task = {key: value for key, value in task.items() if key not in ("kind", "class_weights")}
    arms = {"arms": ["probe", "knn", "finetuned"], "steps": 10, "shares": [1.0]}
    write_labels(task, files["cohort"], *outputs(tmp_path))
    own = (tmp_path, files, checkpoints, embeddings, task)
    predicted, skipped = fitted(own, kind, **arms)
    rows = pd.read_parquet(predicted)
    columns = [name for name in rows if name.startswith("p") and name[1:].isdigit()]
    assert len(columns) == {"multiclass": 3, "multilabel": 2}.get(kind, 1)
    if kind == "multiclass":
        assert rows[columns].sum(axis=1).to_numpy() == pytest.approx(np.ones(len(rows)), abs=1e-5)
    if kind != "regression":
        assert rows[columns].to_numpy().min() >= 0 and rows[columns].to_numpy().max() <= 1
    made = [tmp_path / f"a.{name}" for name in ("json", "tsv")]
    summarise("m", kind, *outputs(tmp_path), [predicted], [skipped], task, *made, tmp_path / "private/p.parquet", [])
    table = pd.read_csv(made[1], sep="\t")
    best = table[table["seed"].isna() & (table["arm"] == "probe")].set_index("metric")["value"]
    assert best["r2" if kind == "regression" else "auroc"] > (0.3 if kind == "regression" else 0.75)


def test_an_external_set_is_decoded_embedded_and_split_by_hash(study, tmp_path):
    folder, _, checkpoints, _, task = study
    names = [f"x{number}" for number in range(36)]
    grades = write_grades(tmp_path, names, "train_images/{id}.png")
    (tmp_path / "train_images/x4.png").unlink()
    table = write_table(tmp_path / "train.csv", id_code=names, diagnosis=grades)
    task = task | {
        "table": str(table), "id": "id_code", "column": "diagnosis", "cohort": False, "image": "train_images/{id}.png",
    }  # fmt: skip
    write_labels(task, None, *outputs(tmp_path))
    place = tmp_path / "private" / "labelled"
    made = [place / name for name in ("image_list.tsv", "images.npy", "images.parquet", "left_out.tsv")]
    write_task_images(outputs(tmp_path)[0], {"size": SIZE + 16, "crop": "none", "dimensions": 2, "min_sd": 1.0}, *made)
    assert np.load(made[1]).shape == (35, 48, 48, 3)
    features = tmp_path / "private/embeddings.h5ad"
    write_features(made[1], made[2], checkpoints[0], EMBED, features)
    data = ad.read_h5ad(features)
    assert data.obs_names.tolist() == [one for one in names if one != "x4"]
    network = load(*outputs(tmp_path), [features], checkpoints[:1], (made[1], made[2]), task).networks[0]
    levels = torch.from_numpy(np.load(made[1])[[5]]).movedim(-1, 1).float() / 255
    with torch.no_grad():
        expected = network.trunk()(network.pixels()(levels))[0].numpy()
    assert data.X[5] == pytest.approx(expected, abs=1e-4)
    own = (tmp_path, {"images_npy": made[1], "images_table": made[2]}, checkpoints[:1], [features], task)
    rows = pd.read_parquet(fitted(own, "outside", arms=["probe", "knn", "finetuned"], shares=[1.0])[0])
    assert rows.groupby("arm")["iid"].nunique().tolist() == [35] * 3
    assert set(rows["network"]) == {0} and set(rows["seen"]) == {0}
    assert folder != tmp_path


def test_too_little_memory_says_what_to_lower(study, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(running, "build", fail)
    with pytest.raises(UserError, match="lower batch of the task"):
        fitted(study, "refused", arms=["finetuned"])


def test_weights_that_are_no_numbers(study):
    with pytest.raises(UserError, match="arm scratch: training gave weights that are not finite numbers. Lower lr"):
        fitted(study, "refused", arms=["scratch"], lr=1.0e30)
