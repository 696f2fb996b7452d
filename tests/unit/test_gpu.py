"""Tests that need a GPU: run by hand where there is one, `python -m pytest tests/unit/test_gpu.py`.

The machines that test every change have none, and skip this file.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from pretraining import RECIPE, SIMCLR, write_study

from contigwas.embed import embed
from contigwas.pretrain import train as training
from contigwas.pretrain.augment import Augmentation
from contigwas.pretrain.methods import METHODS, Pretraining
from contigwas.pretrain.train import train
from contigwas.runtime.errors import UserError

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
STEADY = RECIPE | {"epochs": 4, "dropout": 0.0}  # no noise of the device's own generator


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpu")
    return folder, write_study(folder, samples=120)


def run(study, name, settings=STEADY, **more):
    folder, files = study
    if settings["method"] != "contig":
        files = files | {"modalities": {}}
    outputs = {"output_checkpoint": folder / name / "model.ckpt", "output_history": folder / name / "history.csv"}
    train(**files, settings=settings, fold=0, **outputs, **more)
    return torch.load(outputs["output_checkpoint"], weights_only=True), pd.read_csv(outputs["output_history"])


def test_a_checkpoint_loads_where_there_is_no_gpu(study):
    state, history = run(study, "plain")
    assert {value.device.type for value in state["state_dict"].values()} == {"cpu"}
    assert {value.device.type for value in state["best_state_dict"].values()} == {"cpu"}
    assert np.isfinite(history["train_loss"]).all()


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("contig", "untrained", "pixel_pca")])
def test_every_other_method_trains(study, method):
    more = {"byol": {"momentum": 0.9}, "nnclr": {"queue": 32}, "barlow_twins": {"redundancy": 0.005}}
    _, history = run(study, method, SIMCLR | {"method": method} | more.get(method, {}))
    assert np.isfinite(history["train_loss"]).all()


def test_streamed_images_train_as_resident_ones(study, monkeypatch):
    _, resident = run(study, "resident", STEADY | {"bf16": False})
    monkeypatch.setattr(training, "DEVICE_SHARE", 0.0)
    _, streamed = run(study, "streamed", STEADY | {"bf16": False})
    np.testing.assert_allclose(streamed["train_loss"], resident["train_loss"], rtol=2e-3)


def test_the_gpu_trains_as_the_cpu_does(study, monkeypatch):
    first = {"epochs": 1, "bf16": False}  # later steps magnify the last bit
    _, gpu = run(study, "gpu", STEADY | first)
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        _, cpu = run(study, "cpu", STEADY | first)
    np.testing.assert_allclose(gpu["train_loss"], cpu["train_loss"], rtol=1e-2)


def test_half_precision_trains_as_full_precision(study):
    _, half = run(study, "half", STEADY | {"bf16": True})
    _, full = run(study, "full", STEADY | {"bf16": False})
    np.testing.assert_allclose(half["train_loss"], full["train_loss"], rtol=0.1)


def test_a_compiled_trunk_trains_as_an_eager_one(study):
    first = {"epochs": 1, "bf16": False}  # later steps magnify the last bit
    _, compiled = run(study, "compiled", STEADY | first | {"compile": True})
    _, eager = run(study, "eager", STEADY | first)
    np.testing.assert_allclose(compiled["train_loss"], eager["train_loss"], rtol=1e-2)


def test_views_are_those_of_the_cpu_in_any_precision(study):
    augment = Augmentation(rotation=20, flip=True, crop=0.8, brightness=0.2, contrast=0.2, hue=0.1, blur=1.0)
    levels = torch.rand(8, 3, 448, 448, generator=torch.Generator().manual_seed(1))
    wanted = augment(levels, torch.Generator().manual_seed(2))
    found = augment(levels.cuda(), torch.Generator().manual_seed(2)).cpu()
    assert float((found - wanted).abs().mean()) < 1e-4


def test_training_resumes_from_its_state(study, monkeypatch):
    _whole, before = run(study, "whole")
    calls = []
    step = Pretraining.training_step

    def breaking(self, batch, index):
        calls.append(index)
        if len(calls) == 25:
            raise ZeroDivisionError
        return step(self, batch, index)

    scratch = {"scratch": study[0] / "broken" / "scratch", "minutes": 0}
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Pretraining, "training_step", breaking)
        run(study, "broken", **scratch)
    _resumed, after = run(study, "broken", **scratch)
    assert after["step"].tolist() == before["step"].tolist()
    np.testing.assert_allclose(after["train_loss"], before["train_loss"], rtol=2e-2)


def test_too_little_memory_raises_a_user_error(study):
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-3)
    try:
        with pytest.raises(UserError, match=r"too little memory for batches of 64 images .*: lower\s+batch"):
            run(study, "small", RECIPE | {"batch": 64, "image_encoder": "resnet50", "width": 64})
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_embeddings_are_those_of_the_cpu(study, monkeypatch):
    folder, files = study
    run(study, "embedded")
    wanted = {"checkpoint": "last", "augment": 0, "layer": "trunk", "math_threads": 1}
    place = files["images_npy"], files["images_table"], files["cohort"], wanted
    embed(folder / "embedded/model.ckpt", *place, folder / "gpu.h5ad")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    embed(folder / "embedded/model.ckpt", *place, folder / "cpu.h5ad")
    gpu, cpu = ad.read_h5ad(folder / "gpu.h5ad").X, ad.read_h5ad(folder / "cpu.h5ad").X
    assert float(np.abs(gpu - cpu).mean() / cpu.std()) < 0.02
