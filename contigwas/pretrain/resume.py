"""Save the state of training to disk at intervals and on SIGTERM, so that an interrupted run resumes."""

import json
import logging
import os
import pickle
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from contigwas.pretrain.distributed import sum_over_processes
from contigwas.pretrain.methods import Pretraining
from contigwas.runtime.atomic_files import PathLike, replacing

log = logging.getLogger(__name__)
STATE = "state.ckpt"
MAX_FULL_DIGEST = 1 << 30  # bytes: of larger files, the digest covers only both ends, the size and the mtime


class Resume(Checkpoint):
    """Callback that saves the state of training to `folder`/state.ckpt.

    It saves at the end of a batch or an epoch if `minutes` have passed since the last save. It also saves after the
    batch (in validation: after the epoch) in which SIGTERM arrived, and then ends training with SIGTERMException. A
    crash during a save leaves the previous state intact. Processes that train together save and stop together.
    """

    def __init__(self, folder: PathLike, minutes: float) -> None:
        self.folder, self.seconds = Path(folder), 60 * minutes
        self.folder.mkdir(parents=True, exist_ok=True)
        self._last = time.monotonic()
        self._stop = False
        self._former_handler: object = None

    @property
    def path(self) -> Path:
        """The file with the state."""
        return self.folder / STATE

    def saved(self) -> Path | None:
        """Return the state to resume from; None if there is none, or, with a warning, if it cannot be read."""
        if not self.path.exists():
            return None
        try:
            torch.load(self.path, map_location="cpu", weights_only=True, mmap=True)
        except (RuntimeError, EOFError, OSError, KeyError, ValueError, pickle.UnpicklingError):
            log.warning("%s: the saved state is damaged: training starts over", self.path)
            return None
        return self.path

    def on_fit_start(self, trainer: lightning.Trainer, module: Pretraining) -> None:
        """Replace Lightning's SIGTERM handler, which would stop within validation without saving or logging."""
        if threading.current_thread() is threading.main_thread():
            self._former_handler = signal.signal(signal.SIGTERM, self._request_stop)

    def teardown(self, trainer: lightning.Trainer, module: Pretraining, stage: str) -> None:
        """Restore the former SIGTERM handler."""
        if self._former_handler is not None:
            signal.signal(signal.SIGTERM, self._former_handler)
            self._former_handler = None

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Pretraining, *_: object) -> None:
        """Save after a step and its learning-rate update, unless a loss is not finite."""
        # after the last batch, on_train_epoch_end saves, with the validation and the row of history
        if not trainer.is_last_batch:
            self._save_if_due(trainer, module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Pretraining) -> None:
        """Save with the row of history of the epoch."""
        self._save_if_due(trainer, module)

    def _request_stop(self, *_: object) -> None:
        self._stop = True

    def _save_if_due(self, trainer: lightning.Trainer, module: Pretraining) -> None:
        """Save if it is time or a stop was requested in any process, unless a loss or weight is not finite."""
        device = trainer.strategy.root_device
        stop = sum_over_processes(int(self._stop), device) > 0
        if (stop or sum_over_processes(int(self._is_time()), device) > 0) and sum_over_processes(
            int(not module.healthy()), device
        ) == 0:
            self._save(trainer)
        if stop:
            raise SIGTERMException

    def _is_time(self) -> bool:
        return time.monotonic() - self._last >= self.seconds

    def _save(self, trainer: lightning.Trainer) -> None:
        """Save the state; all processes take part, and the first one writes."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.path)  # a collective call: only the first process writes
        else:
            with replacing(self.path) as temporary:
                trainer.save_checkpoint(temporary)
            log.info("saved the state of training in epoch %d, step %d", trainer.current_epoch + 1, trainer.global_step)
        self._last = time.monotonic()

    def remove(self) -> None:
        """Remove the state, and states of other settings or inputs of this network: the outputs are complete."""
        for folder in [path.parent for path in self.folder.parent.glob(f"*/*{STATE}")]:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def fingerprint(settings: Mapping[str, object], fold: int, files: Iterable[PathLike], code: str = "") -> str:
    """Return a digest of settings, fold, file contents, `code`, and the versions of torch and Lightning.

    A run resumes only from a state with the same digest.
    """
    contents = [dict(settings), fold, code, torch.__version__, lightning.__version__]
    digest = blake2b(json.dumps(contents, sort_keys=True).encode(), digest_size=12)
    for path in files:
        path = Path(path)
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            if size <= MAX_FULL_DIGEST:
                while part := file.read(1 << 24):
                    digest.update(part)
            else:
                digest.update(str(path.stat().st_mtime_ns).encode() + file.read(1 << 24))
                file.seek(-(1 << 24), os.SEEK_END)
                digest.update(file.read())
    return digest.hexdigest()
