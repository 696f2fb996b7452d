"""A segmentation from labels to scores, with a network that was pretrained on the cohort."""

import json
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch

from contigwas.downstream.segmentation import run as running
from contigwas.downstream.segmentation.labelled_images import write_labelled
from contigwas.downstream.segmentation.run import build, load, segment
from contigwas.downstream.segmentation.summary import summarise
from contigwas.pretrain.networks import genetics_encoders
from contigwas.pretrain.normalise import Normaliser
from contigwas.pretrain.sequence import gene_encoders
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_included
from contigwas.tables.anndata_io import write_modality
from tests.segmentation_files import LIGHT, TASK, outputs, write_masks
from tests.unit.pretraining import MGI, RECIPE, run, write_study

pytestmark = pytest.mark.slow

ARMS = [
    LIGHT | {"name": "pretrained", "encoder": "pretrained", "fusion": "film"},
    LIGHT | {"name": "scratch"},
    LIGHT | {"name": "unet", "network": "unet"},
]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A cohort of 60, the three networks of a cross-fitted model, and masks of 40 samples."""
    folder = tmp_path_factory.mktemp("segmentation")
    files = write_study(folder)
    for fold in range(3):
        run(folder, files, RECIPE | {"epochs": 1}, fold, f"fold{fold}")
    samples = read_included(files["cohort"])["iid"].tolist()[:40]
    task = TASK | {"table": str(write_masks(folder / "in", samples)), "arms": ARMS, "modality": "pgs"}
    write_labelled("tumour", task, files["cohort"], *outputs(folder))
    labelled = dict(zip(("samples", "images", "masks"), outputs(folder), strict=False))
    checkpoints = [folder / f"fold{fold}" / "model.ckpt" for fold in range(3)]
    return folder, files, labelled, checkpoints, task


def fitted(study, name, seed=0, **changes):
    folder, files, labelled, checkpoints, task = study
    made = folder / "private" / name / "scores.parquet", folder / "private" / name / "examples.npz"
    genes = files["modalities"]["pgs"]
    segment("tumour", labelled, checkpoints, genes, None, task | changes, seed, *made)
    return made


@pytest.fixture(scope="module")
def seeds(study):
    """Two seeds; the first has steps enough to learn."""
    return [fitted(study, f"seed{seed}", seed, steps=steps) for seed, steps in enumerate((60, 10))]


def test_each_sample_is_tested_once_by_every_arm(study, seeds):
    rows = pd.read_parquet(seeds[0][0])
    assert len(rows) == 40 * 3 * 2
    assert not rows.duplicated(["iid", "arm", "share"]).any()
    assert (rows["network"] == rows["split"]).all()
    masks = np.load(study[2]["masks"])
    truth = rows.drop_duplicates("iid").set_index("iid")["truth"]
    samples = pd.read_parquet(study[2]["samples"])
    assert (truth[samples["iid"]].to_numpy() == masks.sum(axis=(1, 2))).all()
    assert (rows["both"] <= rows[["predicted", "truth"]].min(axis=1)).all()


def test_a_square_that_is_brighter_is_found(seeds):
    """60 steps on some 26 samples: far from what an untrained network would do."""
    rows = pd.read_parquet(seeds[0][0])
    rows["dice"] = 2 * rows["both"] / (rows["predicted"] + rows["truth"])
    dice = rows[rows["share"] == 1.0].groupby("arm")["dice"].mean()
    assert (dice > 0.75).all(), dice


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(study, seeds):
    again = pd.read_parquet(fitted(study, "again", 1, steps=10)[0])
    assert again.equals(pd.read_parquet(seeds[1][0]))
    assert not again.equals(pd.read_parquet(fitted(study, "other", 2, steps=10)[0]))


def test_what_the_seeds_say_together(study, seeds, tmp_path):
    task = study[4]
    made = {name: tmp_path / f"tumour.{name}" for name in ("json", "tsv", "png")}
    samples, overlays = tmp_path / "private/samples.parquet", tmp_path / "private/overlays.png"
    scores, examples = zip(*seeds, strict=True)
    summarise("contig", "tumour", scores, examples, task, made["json"], made["tsv"], samples, [made["png"]], [overlays])
    table = pd.read_csv(made["tsv"], sep="\t")
    assert list(table.columns) == ["arm", "share", "seed", "metric", "value", "low", "high", "n_samples"]
    by_sample = pd.read_parquet(samples)
    own = by_sample[(by_sample["arm"] == "unet") & (by_sample["share"] == 1.0) & (by_sample["metric"] == "iou")]
    summary = table[
        table["seed"].isna() & (table["arm"] == "unet") & (table["share"] == 1) & (table["metric"] == "iou")
    ]
    assert summary["value"].item() == pytest.approx(own["value"].mean())
    assert summary["low"].item() < summary["value"].item() < summary["high"].item()
    assert "pretrained - scratch" in set(table["arm"])
    said = json.loads(made["json"].read_text())
    assert said["n_samples"] == 40
    assert [one["network"] for one in said["splits"]] == [0, 1, 2]
    assert {one["test_samples_whose_images_the_pretraining_saw"] for one in said["splits"]} == {0}
    assert sum(one["test"] for one in said["splits"]) == 40
    iids = set(by_sample["iid"])
    for path in (made["json"], made["tsv"]):
        assert not [one for one in iids if one in path.read_text()]
    assert overlays.stat().st_size > 10_000
    assert overlays.parent.stat().st_mode & 0o777 == 0o700


def test_examples_are_of_the_best_the_median_and_the_worst_sample(seeds):
    rows = pd.read_parquet(seeds[0][0])
    own = rows[(rows["arm"] == "scratch") & (rows["share"] == 1.0)]
    own = own.assign(dice=2 * own["both"] / (own["predicted"] + own["truth"]))
    own = own.sort_values(["dice", "iid"], ascending=[False, True], ignore_index=True)
    places = [one.index[[0, (len(one) - 1) // 2, len(one) - 1]] for _, one in own.groupby("split")]
    middle = min(np.concatenate(places), key=lambda place: abs(place - 19))  # of 40
    with np.load(seeds[0][1]) as shown:
        assert shown["scratch.dice"].tolist() == own["dice"].iloc[[0, middle, 39]].tolist()
        for place in range(3):
            truth, found = shown["scratch.masks"][place] > 0, shown["scratch.predicted"][place] > 0
            measured = 2 * (truth & found).sum() / (truth.sum() + found.sum())
            assert measured == pytest.approx(shown["scratch.dice"][place])


def test_of_a_split_three_predictions_are_kept(study, monkeypatch):
    """However many are tested, and none of them holds the memory of the others."""
    seen = []

    def watched(study_, rows, kept):
        seen.append((rows, kept))
        return examples(study_, rows, kept)

    examples = running._select_examples
    monkeypatch.setattr(running, "_select_examples", watched)
    fitted(study, "kept", steps=10, arms=ARMS[1:2])
    ((rows, kept),) = seen
    tested = rows.groupby("split")["iid"].nunique()
    assert len(kept["scratch"]) == sum(len({0, (count - 1) // 2, count - 1}) for count in tested) <= 9 < tested.sum()
    for one in kept["scratch"].values():
        assert one.predicted.untyped_storage().nbytes() == one.predicted.numel() == 32 * 32


def test_pretrained_weights_are_those_of_the_split_and_scratch_is_other(study):
    _, files, labelled, checkpoints, task = study
    found = load("tumour", running.read_labelled(**labelled), checkpoints, files["modalities"]["pgs"], None, task)
    for fold in range(3):
        state = torch.load(checkpoints[fold], weights_only=True)["state_dict"]
        network = build(ARMS[0], found, fold, task)
        assert torch.equal(network.trunk.conv1.weight, state["trunk.conv1.weight"])
        assert torch.equal(network.genes.encoder.layers[0].weight, state["genetics.pgs.layers.0.weight"])
        scratch = build(ARMS[0] | {"encoder": "scratch"}, found, fold, task)
        assert not torch.equal(scratch.trunk.conv1.weight, state["trunk.conv1.weight"])
        assert not torch.equal(scratch.genes.encoder.layers[0].weight, state["genetics.pgs.layers.0.weight"])
        for one in (network, scratch):
            assert torch.equal(one.genes.encoder.normaliser.mean, state["genetics.pgs.normaliser.mean"])
            assert torch.equal(one.pixels.mean, state["pixels.mean"])


def test_all_arms_train_in_training_mode(study, monkeypatch):
    """Whether their weights were read from a checkpoint (in evaluation) or drawn; but not what is frozen."""
    seen, original = {}, running.fit

    def watched(network, *arguments):
        norm, modes = network.trunk.bn1, seen.setdefault(arguments[-1], {"norm": set(), "genes": set()})
        norm.register_forward_pre_hook(lambda one, _: modes["norm"].add(one.training))
        if network.genes is not None:
            network.genes.encoder.register_forward_pre_hook(lambda one, _: modes["genes"].add(one.training))
        before = int(norm.num_batches_tracked)
        found = original(network, *arguments)
        modes["batches"] = int(norm.num_batches_tracked) - before
        return found

    monkeypatch.setattr(running, "fit", watched)
    scratch = ARMS[0] | {"name": "scratch", "encoder": "scratch"}
    frozen = ARMS[0] | {"name": "frozen", "freeze": True}
    fitted(study, "modes", steps=10, shares=[1.0], arms=[ARMS[0], scratch, frozen])
    assert seen["pretrained"] == seen["scratch"] == {"norm": {True, False}, "genes": {True, False}, "batches": 10}
    assert seen["frozen"] == {"norm": {False}, "genes": {False}, "batches": 0}


def test_features_are_found_by_name_in_a_file_that_was_made_again(study, tmp_path):
    _, files, labelled, checkpoints, task = study
    data = ad.read_h5ad(files["modalities"]["pgs"])
    values, path = np.asarray(data.X), tmp_path / "again.h5ad"
    state = torch.load(checkpoints[1], weights_only=True)
    assert state["features"]["pgs"] == [*data.var_names]
    names = ["another", *data.var_names[[0, 1, 3, 4]]]
    write_modality(path, values[:, [2, 0, 1, 3, 4]], data.obs_names, pd.DataFrame(index=names), {})
    blank = values.copy()
    blank[:, 2] = np.nan
    write_modality(tmp_path / "blank.h5ad", blank, data.obs_names, pd.DataFrame(index=data.var_names), {})
    found = []
    for file in (path, tmp_path / "blank.h5ad"):
        here = load("tumour", running.read_labelled(**labelled), checkpoints, file, None, task)
        encoder = build(ARMS[0], here, 1, task).genes.encoder.eval()
        with torch.no_grad():
            found.append(encoder(here.images.genes.values, here.images.genes.components))
    assert torch.equal(*found)


def test_the_best_weights_where_features_are_of_them(study, tmp_path):
    _, files, labelled, checkpoints, task = study
    state = torch.load(checkpoints[0], weights_only=True)
    state["best_state_dict"] = {name: value + 1 for name, value in state["state_dict"].items()}
    torch.save(state, tmp_path / "model.ckpt")
    checkpoints = [tmp_path / "model.ckpt", *checkpoints[1:]]
    for which, key in (("last", "state_dict"), ("best", "best_state_dict")):
        settings = task | {"checkpoint": which}
        found = load(
            "tumour", running.read_labelled(**labelled), checkpoints, files["modalities"]["pgs"], None, settings
        )
        trunk = build(ARMS[0], found, 0, settings).trunk
        assert torch.equal(trunk.conv1.weight, state[key]["trunk.conv1.weight"])


def test_fine_tuning_neither_swaps_genes_between_samples_nor_draws_noise(study):
    """An encoder with every perturbation of pretraining says the same in training as in evaluation."""
    normaliser = Normaliser(torch.arange(6), torch.zeros(6), torch.ones(6))
    values = torch.randn(12, 6)
    recipe = RECIPE | MGI | {"corruption": 0.9, "noise": 3, "dropout": 0.0, "embedding": 8}
    for encoders in (genetics_encoders, gene_encoders):
        encoder = encoders({"covariates": normaliser}, recipe)["covariates"]
        assert not torch.equal(encoder.train()(values, None), encoder.eval()(values, None)), "pretraining perturbs"
        learned = SimpleNamespace(settings=recipe, where="model.ckpt")
        genes = running._gene_branch(encoder, ARMS[0], SimpleNamespace(modality="covariates"), learned)
        assert torch.equal(genes.encoder.train()(values, None), genes.encoder.eval()(values, None))


def test_an_arm_that_asks_for_tokens_of_an_encoder_without_any(study):
    with pytest.raises(UserError, match="no tokens. Set fusion: film"):
        fitted(study, "refused", arms=[ARMS[0] | {"fusion": "cross_attention"}])


def test_too_little_memory_says_what_to_lower(study, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(running, "build", fail)
    with pytest.raises(UserError, match="lower batch or size of the task"):
        fitted(study, "refused")


def test_weights_that_are_no_numbers(study):
    with pytest.raises(UserError, match="arm scratch: training gave weights that are not finite numbers. Lower lr"):
        fitted(study, "refused", arms=ARMS[1:2], lr=1.0e30)
