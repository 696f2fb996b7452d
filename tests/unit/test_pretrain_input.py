"""Errors of training data and hardware: one clear message, and no partial output."""

import numpy as np
import pandas as pd
import pytest
import torch
from pretraining import RECIPE, run, write_study

from contigwas.pretrain.data import load_training_data
from contigwas.pretrain.methods.contig import Contig
from contigwas.pretrain.roles import split
from contigwas.runtime.errors import UserError
from contigwas.samples.folds import stable_hash
from contigwas.tables.anndata_io import read_modality, write_modality


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, write_study(folder)


def test_infinite_values_name_the_feature(study, tmp_path):
    folder, files = study
    data = read_modality(files["modalities"]["pgs"])
    values = np.asarray(data.X).copy()
    values[3, 2] = np.inf
    write_modality(tmp_path / "pgs.h5ad", values, data.obs_names, data.var, {})
    changed = files | {"modalities": files["modalities"] | {"pgs": tmp_path / "pgs.h5ad"}}
    with pytest.raises(UserError, match="feature pgs2 and 0 other features have infinite values"):
        run(folder, changed, RECIPE, name="never")


@pytest.mark.parametrize("role", ["training", "held-out"])
def test_a_fold_without_images_is_named(study, tmp_path, role):
    folder, files = study
    cohort = pd.read_csv(files["cohort"], sep="\t", dtype=str)
    table = pd.read_parquet(files["images_table"])
    roles = split(cohort["family"].tolist(), RECIPE, 1)
    missing = cohort.loc[roles == ("train" if role == "training" else "heldout"), "iid"]
    table[~table["iid"].isin(missing)].to_parquet(tmp_path / "images.parquet")
    with pytest.raises(UserError, match=rf"none of the \d+ {role} samples of fold 1 has a usable image"):
        run(folder, files | {"images_table": tmp_path / "images.parquet"}, RECIPE, fold=1, name="never")


def test_a_feature_without_training_values_is_dropped_and_counted(study, tmp_path, caplog):
    folder, files = study
    caplog.set_level("INFO")
    data = read_modality(files["modalities"]["pgs"])
    values = np.asarray(data.X).copy()
    loaded = load_training_data(**files, settings=RECIPE, fold=0)
    trains = data.obs_names.map(stable_hash).isin(loaded.roles["train"])
    values[trains, 2] = np.nan
    write_modality(tmp_path / "pgs.h5ad", values, data.obs_names, data.var, {})
    changed = files | {"modalities": files["modalities"] | {"pgs": tmp_path / "pgs.h5ad"}}
    state, history = run(folder, changed, RECIPE | {"epochs": 1}, name="empty")
    assert state["features"]["pgs"] == ["pgs0", "pgs1", "pgs3", "pgs4"]
    assert "4 of 5 features of pgs vary and are used" in caplog.text
    assert np.isfinite(history["val_pgs"]).all()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: not enough memory: you tried"),
        MemoryError(),
    ],
    ids=["gpu", "cpu", "numpy"],
)
def test_too_little_memory_reports_what_to_lower(study, monkeypatch, error):
    folder, files = study

    def fail(self, batch, index):
        raise error

    monkeypatch.setattr(Contig, "training_step", fail)
    with pytest.raises(UserError, match=r"too little memory for batches of 8 images of 32 x 32 .* lower batch in the"):
        run(folder, files, RECIPE, name="never")


def test_other_errors_are_not_reported_as_too_little_memory(study, monkeypatch):
    folder, files = study

    def fail(self, batch, index):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(Contig, "training_step", fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run(folder, files, RECIPE, name="never")


def test_too_large_a_batch_reports_both_numbers(study):
    folder, files = study
    with pytest.raises(UserError, match=r"batch is 500, but fold 0 has only \d+ training samples"):
        run(folder, files, RECIPE | {"batch": 500}, name="never")
    assert not (folder / "never").exists()


def test_a_modality_without_samples_is_named(study, tmp_path):
    folder, files = study
    strangers = pd.Index([f"HG{number:05d}" for number in range(30)])
    write_modality(tmp_path / "pgs.h5ad", np.ones((30, 2), np.float32), strangers, pd.DataFrame(index=["a", "b"]), {})
    changed = files | {"modalities": files["modalities"] | {"pgs": tmp_path / "pgs.h5ad"}}
    with pytest.raises(UserError, match="no training sample of fold 0 has pgs"):
        run(folder, changed, RECIPE, name="never")


def test_a_loss_that_is_not_finite_reports_the_epoch(study):
    folder, files = study
    with pytest.raises(UserError, match=r"the training loss is no longer finite in epoch \d"):
        run(folder, files, RECIPE | {"lr": 1e30, "schedule": "cosine"}, name="never")
    assert not (folder / "never").exists()
