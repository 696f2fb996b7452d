"""Killed or stopped training resumes and gives bit-identical weights."""

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import torch
from pretraining import RECIPE, SIMCLR, write_study

from contigwas.pretrain.methods import Pretraining
from contigwas.pretrain.resume import fingerprint
from contigwas.pretrain.train import train
from contigwas.runtime.errors import UserError
from tests.studies import forking_python

pytestmark = pytest.mark.slow

SLOW = RECIPE | {"epochs": 6, "genetics_encoder": "h1", "learn_temperature": True, "corruption": 0.1}
METHODS = {
    "contig": SLOW,
    "byol": SIMCLR | {"method": "byol", "epochs": 6, "momentum": 0.9},
    "nnclr": SIMCLR | {"method": "nnclr", "epochs": 6, "queue": 32},
}
CHILD = """
import json, sys, time
from contigwas.pretrain.methods.base import Pretraining
from contigwas.pretrain.train import train

step = Pretraining.training_step
def slowly(self, batch, index):
    time.sleep(0.05)
    return step(self, batch, index)
Pretraining.training_step = slowly
train(**json.loads(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    return folder, write_study(folder)


def arguments(folder, files, settings, name, **more):
    modalities = files["modalities"] if settings["method"] == "contig" else {}
    outputs = {"output_checkpoint": folder / name / "model.ckpt", "output_history": folder / name / "history.csv"}
    scratch = {"scratch": folder / name / "scratch", "minutes": 0}
    return files | {"modalities": modalities, "settings": settings, "fold": 0} | outputs | scratch | more


def child(keywords):
    text = json.dumps(keywords, default=str)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen([forking_python(), "-c", CHILD, text], env=environment, stderr=subprocess.PIPE, text=True)


def wait_for_state(scratch, after=0.0):
    """Wait until a state was written later than `after`, and return its time."""
    for _ in range(1200):
        found = [path.stat().st_mtime_ns for path in Path(scratch).glob("*/state.ckpt")]
        if found and found[0] > after:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no state was saved")


@pytest.mark.parametrize("method", METHODS)
def test_training_killed_several_times_gives_the_same_weights(study, method):
    folder, files = study
    whole = arguments(folder, files, METHODS[method], f"{method}_whole", scratch=None)
    train(**whole)
    broken = arguments(folder, files, METHODS[method], f"{method}_broken")
    when, kills = 0, 0
    for delay in (0.12, 0.33, 0.05):
        process = child(broken)
        when = wait_for_state(broken["scratch"], when)
        time.sleep(delay)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills >= 2 and not broken["output_checkpoint"].exists()
    train(**broken)
    for name in ("output_history", "output_checkpoint"):
        assert broken[name].read_bytes() == whole[name].read_bytes()
    assert not any(broken["scratch"].iterdir())


def test_sigterm_saves_the_state_and_reports_it(study):
    folder, files = study
    whole = arguments(folder, files, SLOW, "term_whole", scratch=None)
    train(**whole)
    stopped = arguments(folder, files, SLOW, "term", minutes=1000)
    process = child(stopped)
    for _ in range(1200):
        if (stopped["scratch"]).exists() and any(stopped["scratch"].iterdir()):
            break
        time.sleep(0.05)
    time.sleep(0.6)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate()
    assert (
        process.returncode != 0
        and "stopped by a signal and its state was saved: run the same command again to resume" in stderr
    )
    assert len([*stopped["scratch"].glob("*/state.ckpt")]) == 1
    assert not stopped["output_checkpoint"].exists()
    train(**stopped)
    assert stopped["output_checkpoint"].read_bytes() == whole["output_checkpoint"].read_bytes()


def test_a_state_of_other_settings_or_inputs_is_not_resumed(study, tmp_path):
    _, files = study
    first = fingerprint(RECIPE, 0, [files["cohort"]])
    assert fingerprint(dict(reversed(RECIPE.items())), 0, [files["cohort"]]) == first
    assert fingerprint(RECIPE | {"lr": 1.0}, 0, [files["cohort"]]) != first
    assert fingerprint(RECIPE, 1, [files["cohort"]]) != first
    (tmp_path / "cohort.tsv").write_text(Path(files["cohort"]).read_text() + "\n")
    assert fingerprint(RECIPE, 0, [tmp_path / "cohort.tsv"]) != first


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(study):
    folder, files = study
    bad = arguments(folder, files, RECIPE | {"lr": 1e30, "schedule": "cosine", "epochs": 3}, "nan")
    with pytest.raises(UserError, match=r"is no longer finite in epoch \d"):
        train(**bad)
    assert not bad["output_checkpoint"].exists()
    state = torch.load(next(bad["scratch"].glob("*/state.ckpt")), weights_only=True)
    assert all(bool(loss.isfinite()) for one in state["resume"]["processes"][0]["train"] for loss in one.values())


class Stopped(Exception):
    """The exception with which a test stops training."""


@contextmanager
def stopping_at(epoch, batch):
    """Stop training before a batch of an epoch, both counted from 0."""
    step = Pretraining.training_step

    def until(self, given, index):
        if (self.current_epoch, index) == (epoch, batch):
            raise Stopped
        return step(self, given, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pretraining, "training_step", until)
        yield


@pytest.mark.parametrize("at", [(0, 0), (0, 1), (1, 0), (2, 2)], ids=str)
def test_it_resumes_from_any_batch_with_the_best_weights_kept(study, at):
    """Before the first state, inside an epoch, and between epochs."""
    folder, files = study
    whole = arguments(folder, files, SLOW, "at_whole", scratch=None)
    if not whole["output_checkpoint"].exists():
        train(**whole)
    broken = arguments(folder, files, SLOW, f"at{at[0]}{at[1]}")
    with stopping_at(*at), pytest.raises(Stopped):
        train(**broken)
    assert len([*broken["scratch"].glob("*/state.ckpt")]) == (at != (0, 0))
    train(**broken)
    for name in ("output_history", "output_checkpoint"):
        assert broken[name].read_bytes() == whole[name].read_bytes()
    state = torch.load(broken["output_checkpoint"], weights_only=True)
    history = pd.read_csv(broken["output_history"])
    assert state["best_epoch"] == history["epoch"][history["val_loss"].idxmin()]


@pytest.mark.parametrize("damaged", ["state.ckpt.tmp", "state.ckpt", "empty"])
def test_an_interrupted_save_loses_only_the_steps_after_the_last_good_state(study, damaged, caplog):
    folder, files = study
    whole = arguments(folder, files, SLOW, "cut_whole", scratch=None)
    train(**whole)
    broken = arguments(folder, files, SLOW, f"cut_{damaged}")
    with stopping_at(3, 1), pytest.raises(Stopped):
        train(**broken)
    state = next(broken["scratch"].glob("*/state.ckpt"))
    content = state.read_bytes()[: 0 if damaged == "empty" else state.stat().st_size // 2]
    (state if damaged == "empty" else state.with_name(damaged)).write_bytes(content)
    caplog.clear()
    caplog.set_level("INFO")
    train(**broken)
    good = damaged == "state.ckpt.tmp"
    assert ("is damaged: training starts over" in caplog.text) != good
    assert ("resumes from the saved state" in caplog.text) == good
    assert broken["output_checkpoint"].read_bytes() == whole["output_checkpoint"].read_bytes()
    assert not any(broken["scratch"].iterdir())


def test_a_changed_recipe_starts_anew_and_leaves_no_state_behind(study):
    """The old state does not fit the weights of another width."""
    folder, files = study
    other = SLOW | {"width": 16}
    whole = arguments(folder, files, other, "changed_whole", scratch=None)
    train(**whole)
    with stopping_at(2, 0), pytest.raises(Stopped):
        train(**arguments(folder, files, SLOW, "changed"))
    changed = arguments(folder, files, other, "changed")
    train(**changed)
    assert changed["output_checkpoint"].read_bytes() == whole["output_checkpoint"].read_bytes()
    assert not any(changed["scratch"].iterdir())
