"""Two processes that share each batch train the same network as one process with the whole batch."""

import json
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
from pretraining import RECIPE, SIMCLR, write_study

from contigwas.images.array import Photographs
from contigwas.pretrain.data import Batches
from contigwas.pretrain.train import train
from contigwas.runtime.errors import UserError
from tests.studies import forking_python

SCRIPT = """
import json, os, signal, sys
import torch
from contigwas.pretrain import schedule
from contigwas.pretrain.methods.base import Pretraining
from contigwas.pretrain.train import train
# Adam divides a gradient by its size: it hides one of the wrong scale, and makes steps of rounding errors
schedule.OPTIMIZERS["adamw"] = torch.optim.SGD
step = Pretraining.training_step
def until(self, batch, index):
    if self.global_rank == 0 and self.global_step == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGTERM)
    return step(self, batch, index)
Pretraining.training_step = until
train(**json.loads(sys.argv[1]))
"""
# GroupNorm and no random number of a device: nothing then depends on which process a sample is in. SimCLR at a lower
# rate: at 0.02 it makes of a rounding error 0.2 % in three epochs
EVEN = {"norm": "group", "dropout": 0.0, "epochs": 2, "batch": 8, "lr": 0.02}
METHODS = {
    "contig": RECIPE | EVEN,
    "learned": RECIPE | EVEN | {"learn_temperature": True, "genetics_encoder": "none"},
    "siglip": RECIPE | EVEN | {"loss": "siglip"},
    "simclr": SIMCLR | EVEN | {"lr": 2.0e-3},
    "autoencoder": SIMCLR | EVEN | {"method": "autoencoder"},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    return folder, script, write_study(folder, missing_rate=0.4)


def command_of(study, settings, name, devices, **more):
    folder, script, files = study
    modalities = files["modalities"] if settings["method"] == "contig" else {}
    outputs = {"output_checkpoint": folder / name / "model.ckpt", "output_history": folder / name / "history.csv"}
    keywords = files | {"modalities": modalities, "settings": settings, "fold": 0, "devices": devices} | outputs | more
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return [forking_python(), script, json.dumps(keywords, default=str), "-1"], {
        "env": environment,
        "cwd": folder,
        "text": True,
    }


def run(study, settings, name, devices, **more):
    command, keywords = command_of(study, settings, name, devices, **more)
    done = subprocess.run(command, **keywords, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    folder = study[0] / name
    return pd.read_csv(folder / "history.csv"), torch.load(folder / "model.ckpt", weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_follow_the_loss_curve_of_one(study, method):
    alone, first = run(study, METHODS[method], f"{method}1", 1)
    together, second = run(study, METHODS[method], f"{method}2", 2)
    for name in alone.columns:
        assert together[name].to_numpy() == pytest.approx(alone[name].to_numpy(), rel=2e-4, abs=1e-6), name
    for name, value in first["state_dict"].items():
        assert torch.allclose(value, second["state_dict"][name], rtol=1e-3, atol=1e-4), name


@pytest.mark.slow
def test_two_stopped_processes_resume_to_the_same_weights(study):
    """With dropout, each process resumes with its own random numbers."""
    settings = METHODS["contig"] | {"dropout": 0.2, "corruption": 0.1}
    whole, expected = run(study, settings, "whole", 2)
    scratch = study[0] / "scratch"
    command, keywords = command_of(study, settings, "stopped", 2, scratch=scratch, minutes=1000)
    command[-1] = "4"
    stderr = subprocess.run(command, **keywords, capture_output=True, timeout=300).stderr
    assert "stopped by a signal and its state was saved" in stderr
    state = torch.load(next(scratch.glob("*/state.ckpt")), weights_only=True)
    first, second = state["resume"]["processes"]
    assert not torch.equal(first["torch"], second["torch"])
    again, weights = run(study, settings, "stopped", 2, scratch=scratch, minutes=1000)
    assert again.equals(whole)
    for name, value in expected["state_dict"].items():
        assert torch.equal(value, weights["state_dict"][name]), name


@pytest.mark.parametrize(("samples", "batch", "world"), [(37, 8, 2), (50, 12, 3), (9, 4, 4)])
def test_each_sample_is_in_one_process_once_per_epoch_in_the_order_of_one_process(samples, batch, world):
    who = torch.arange(samples)
    photographs = Photographs(
        torch.zeros(2 * samples, 1, 1, 1), torch.arange(2 * samples), 2 * who, torch.full_like(who, 2)
    )
    alone, *shared = (
        Batches(who, photographs, batch, torch.Generator().manual_seed(5), rank=rank, world=of)
        for rank, of in [(0, 1), *((rank, world) for rank in range(world))]
    )
    for _ in range(2):
        for whole, *parts in zip(alone, *shared, strict=True):
            assert all(len(part.samples) == batch // world for part in parts)
            assert torch.equal(torch.cat([part.samples for part in parts]), whole.samples)
            assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
            assert len(whole.samples.unique()) == batch
    assert len(torch.cat([one.samples for one in alone]).unique()) == samples // batch * batch


def test_an_indivisible_batch_reports_both_numbers(study):
    folder, _, files = study
    outputs = {"output_checkpoint": folder / "never.ckpt", "output_history": folder / "never.csv"}
    with pytest.raises(UserError, match="a batch of 9 samples does not divide among 2 devices"):
        train(**files, settings=METHODS["contig"] | {"batch": 9}, fold=0, devices=2, **outputs)


def test_batch_norm_is_not_synchronised_between_cpu_processes(study, caplog):
    """One process trains instead and gets the same weights."""
    folder, _, files = study
    for devices in (1, 2):
        place = folder / f"norm{devices}"
        outputs = {"output_checkpoint": place / "model.ckpt", "output_history": place / "history.csv"}
        train(**files, settings=RECIPE | {"epochs": 1}, fold=0, devices=devices, **outputs)
    assert "BatchNorm cannot be synchronised between CPU processes: one process trains instead of 2" in caplog.text
    assert (folder / "norm1/model.ckpt").read_bytes() == (folder / "norm2/model.ckpt").read_bytes()
