"""Every key of a recipe reaches the training; errors are reported and leave no output."""

import re
import struct
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
from pretraining import RECIPE, SIMCLR, write_study
from tensorboardX.proto.event_pb2 import Event

from contigwas.pretrain import schedule
from contigwas.pretrain import train as training
from contigwas.pretrain.data import load_genetics
from contigwas.pretrain.methods import Pretraining
from contigwas.pretrain.retrieval import retrieval
from contigwas.pretrain.train import train
from contigwas.runtime.errors import UserError
from contigwas.samples.folds import stable_hash
from contigwas.tables.anndata_io import read_modality, write_modality


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wiring")
    return folder, write_study(folder)


def run(study, name, settings, fold=0, **more):
    folder, files = study
    if settings["method"] != "contig":
        files = files | {"modalities": {}}
    outputs = {"output_checkpoint": folder / name / "model.ckpt", "output_history": folder / name / "history.csv"}
    train(**files | outputs | {"settings": settings, "fold": fold} | more)
    return torch.load(outputs["output_checkpoint"], weights_only=True), pd.read_csv(outputs["output_history"])


def differ(first, second):
    return not np.allclose(first["train_loss"], second["train_loss"], rtol=1e-6)


def test_an_encoder_initialised_with_betas_predicts_brightness(study):
    still = {"epochs": 1, "lr": 1e-12, "schedule": "cosine", "modalities": ["pgs"]}
    _, files = study
    only = {"modalities": {"pgs": files["modalities"]["pgs"]}}
    weights = {}
    for start in ("gwas", "random"):
        state, _ = run(study, start, RECIPE | still | {"genetics_init": start}, **only)
        [name] = [one for one in state["state_dict"] if re.match(r"genetics\.pgs\..*weight$", one)]
        weights[start] = state["state_dict"][name].abs()
    # the first score makes the brightness, which is the first component of the pixels
    first = weights["gwas"][0]
    assert first[0] > 3 * first[1:].max()
    assert not torch.allclose(weights["gwas"], weights["random"])


def test_corruption_changes_the_training(study):
    histories = [run(study, f"corrupt{share}", RECIPE | {"corruption": share})[1] for share in (0.0, 0.5)]
    assert differ(*histories)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_the_optimizer_is_that_of_the_recipe(study, name, kind, monkeypatch):
    made = []

    class Watched(kind):
        def __init__(self, groups, **keywords):
            made.append((kind, keywords["lr"], [group["weight_decay"] for group in groups]))
            super().__init__(groups, **keywords)

    monkeypatch.setitem(schedule.OPTIMIZERS, name, Watched)
    run(study, name, RECIPE | {"optimizer": name, "epochs": 1, "weight_decay": 0.3, "lr": 0.004})
    assert made == [(kind, 0.004, [0.3, 0.0])]


def test_the_schedule_is_that_of_the_recipe(study):
    rates = {}
    cosine = {"schedule": "cosine"}
    for name, keys in {"one": {}, "cosine": cosine, "warm": cosine | {"warmup": 0.9}}.items():
        rates[name] = run(study, f"schedule_{name}", RECIPE | {"epochs": 8} | keys)[1]["lr"].to_numpy()
    assert (np.diff(rates["cosine"]) < 0).all()
    assert (np.diff(rates["warm"])[:6] > 0).all()
    assert rates["one"][0] < rates["one"].max() and not np.allclose(rates["one"], rates["cosine"])


def test_components_are_regressed_out_of_the_listed_modalities(study):
    folder, files = study
    cohort = pd.read_csv(files["cohort"], sep="\t", dtype=str)
    rng = np.random.default_rng(4)
    pcs = pd.DataFrame({"iid": cohort["iid"], "PC1": rng.normal(size=60), "PC2": rng.normal(size=60)})
    pcs.to_parquet(folder / "pcs.parquet")
    state, _ = run(study, "pcs", RECIPE | {"adjust_pcs": 2, "adjust": ["pgs"]}, pcs=folder / "pcs.parquet")
    slopes = {name: value.shape for name, value in state["state_dict"].items() if name.endswith("slopes")}
    assert list(slopes.values()) == [(3, 5)] and "pgs" in next(iter(slopes))


def test_tensorboard_gets_the_rows_of_the_history(study):
    folder, _ = study
    _, history = run(study, "board", RECIPE, tensorboard=folder / "board" / "events")
    [path] = (folder / "board" / "events").glob("events*")
    found, blob, place = {}, path.read_bytes(), 0
    while place < len(blob):  # a record: its length, a check sum, itself, a check sum
        [length] = struct.unpack_from("<Q", blob, place)
        event = Event.FromString(blob[place + 12 : place + 12 + length])
        found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        place += length + 16
    for row in history.to_dict("records"):
        assert found["train_loss", row["epoch"]] == pytest.approx(row["train_loss"], rel=1e-4)
        assert found["image_to_pgs_5", row["epoch"]] == pytest.approx(row["image_to_pgs@5"], rel=1e-4)


def test_tensorboard_that_is_not_installed(study, monkeypatch):
    def absent(*_, **__):
        raise ModuleNotFoundError("neither is there")

    monkeypatch.setattr(training, "TensorBoardLogger", absent)
    with pytest.raises(UserError, match=r"pretrain\.tensorboard is true, but neither tensorboard nor tensorboardX"):
        run(study, "never", RECIPE, tensorboard=study[0] / "never")


@contextmanager
def dying_at(step):
    """Stop training before step `step`, counted from 0."""
    training_step = Pretraining.training_step

    def dying(self, batch, index):
        if self.global_step == step:
            raise ZeroDivisionError
        return training_step(self, batch, index)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Pretraining, "training_step", dying)
        yield


@contextmanager
def last_step_spoils_the_weights(monkeypatch):
    """Simulate an infinite gradient in the last step: the losses are finite, the weights are not."""
    step = Pretraining.training_step

    def spoiled(self, batch, index):
        loss = step(self, batch, index)
        return loss * float("inf") if self.global_step == self.steps - 1 else loss

    with monkeypatch.context() as patch:
        patch.setattr(Pretraining, "training_step", spoiled)
        yield


@pytest.mark.parametrize("settings", [RECIPE, SIMCLR])
def test_weights_that_are_not_finite_are_never_saved(study, monkeypatch, settings):
    name = f"spoiled_{settings['method']}"
    scratch = study[0] / name / "scratch"
    with (
        last_step_spoils_the_weights(monkeypatch),
        pytest.raises(UserError, match="a weight is no longer finite in epoch 2: lower lr"),
    ):
        run(study, name, settings, scratch=scratch, minutes=0)
    assert not (study[0] / name / "model.ckpt").exists()
    state = torch.load(next(scratch.glob("*/state.ckpt")), weights_only=True)
    assert all(bool(one.isfinite().all()) for one in state["state_dict"].values())
    _, history = run(study, name, settings, scratch=scratch, minutes=0)  # from the last good state, and well
    assert np.isfinite(history["train_loss"]).all() and len(history) == 2


def test_values_that_are_not_finite_are_never_retrieved():
    assert retrieval(torch.full((20, 4), float("nan")), torch.randn(20, 4)) == {1: 0.0, 5: 0.0, 10: 0.0}


def test_weights_trained_with_genetics_of_held_out_samples_are_refused(study):
    folder, _ = study
    run(study, "fold0", RECIPE)
    start = {"weights": str(folder / "fold0" / "model.ckpt")}
    with pytest.raises(UserError, match=r"model\.ckpt was trained with the genetics of \d+ samples that .* fold 1"):
        run(study, "fold1", RECIPE | start, fold=1)
    untrained = {key: value for key, value in SIMCLR.items() if key not in ("epochs", "lr")} | {"method": "untrained"}
    with pytest.raises(UserError, match="would leak their genetics"):
        run(study, "untrained", untrained | start)
    # the same samples are held out: nothing is given away
    state, _ = run(study, "again", RECIPE | start | {"seed": RECIPE["seed"]})
    assert set(state["seen"]) == {*state["roles"]["train"], *state["roles"]["validation"]}
    assert not set(state["seen"]) & set(state["roles"]["heldout"])


def test_checkpoints_inherit_the_seen_samples_of_initial_weights(study):
    folder, _ = study
    state, _ = run(study, "views", SIMCLR)
    assert state["seen"] == []
    run(study, "from_views", RECIPE | {"weights": str(folder / "views" / "model.ckpt")})
    state["seen"] = state["roles"]["train"][:7]
    torch.save(state, folder / "views" / "second.ckpt")
    with pytest.raises(UserError, match="genetics of 7 samples"):
        run(study, "second", SIMCLR | {"weights": str(folder / "views" / "second.ckpt")})


def test_a_state_of_other_initial_weights_is_not_resumed(study, caplog):
    folder, _ = study
    caplog.set_level("INFO")
    trunk = {name: value for name, value in run(study, "start", SIMCLR)[0]["state_dict"].items() if "trunk" in name}
    torch.save(trunk, folder / "w.pth")
    settings, scratch = RECIPE | {"weights": str(folder / "w.pth")}, folder / "w" / "scratch"
    with dying_at(2):
        run(study, "w", settings, scratch=scratch, minutes=0)
    torch.save({name: value * 0.5 for name, value in trunk.items()}, folder / "w.pth")
    run(study, "w", settings, scratch=scratch, minutes=0)
    assert "resumes from the saved state" not in caplog.text


def test_resuming_with_another_number_of_processes_warns(study, caplog):
    scratch = study[0] / "others" / "scratch"
    with dying_at(5):
        run(study, "others", RECIPE, scratch=scratch, minutes=0)
    [path] = scratch.glob("*/state.ckpt")
    state = torch.load(path, weights_only=True)
    state["resume"]["processes"] *= 2  # as if two had shared it
    torch.save(state, path)
    _, history = run(study, "others", RECIPE, scratch=scratch, minutes=0)
    assert "the state was saved by 2 processes and 1 resume it" in caplog.text
    assert np.isfinite(history["train_loss"]).all() and len(history) == RECIPE["epochs"]


def test_missing_values_are_counted_and_the_worst_feature_named(study, tmp_path, caplog):
    caplog.set_level("INFO")
    data = read_modality(study[1]["modalities"]["pgs"])
    values = np.asarray(data.X).copy()
    values[:9, 3], values[0, 1] = np.nan, np.nan
    write_modality(tmp_path / "pgs.h5ad", values, data.obs_names, data.var, {})
    load_genetics(tmp_path / "pgs.h5ad", data.obs_names)
    assert f"10 values of 2 features are missing, most of pgs3 (9 of {len(data)} samples)" in caplog.text


def test_too_few_carriers_and_constant_features_have_different_errors(study):
    with pytest.raises(UserError, match=r"12 features of burden vary .* none has 1000 carriers: lower min_carriers"):
        run(study, "rare", RECIPE | {"min_carriers": 1000})


def test_no_sample_with_all_modalities_is_an_error(study, tmp_path):
    _, files = study
    paths = {}
    for half, name in enumerate(("snps", "pgs")):
        data = read_modality(files["modalities"][name])
        mine = data.obs_names.map(stable_hash) % 2 == half
        paths[name] = tmp_path / f"{name}.h5ad"
        write_modality(paths[name], np.asarray(data.X)[mine], data.obs_names[mine], data.var, {})
    with pytest.raises(UserError, match=r"has all modalities \(\d+ snps, \d+ pgs\): write aggregate: outer"):
        run(study, "inner", RECIPE | {"aggregate": "inner", "modalities": ["snps", "pgs"]}, modalities=paths)


def test_one_fold_whose_held_out_samples_have_no_image_stops_before_training(study, tmp_path):
    _, files = study
    state, _ = run(study, "one", RECIPE | {"folds": 1, "epochs": 1})
    table = pd.read_parquet(files["images_table"])
    held = table["iid"].map(stable_hash).isin(state["roles"]["heldout"])
    table[~held].to_parquet(tmp_path / "images.parquet")
    with pytest.raises(UserError, match="held-out samples of fold 0 has a usable image"):
        run(study, "one_less", RECIPE | {"folds": 1}, images_table=tmp_path / "images.parquet")
