"""Never lose training: the state of a run on disk, every few minutes and when a scheduler says stop."""

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

from contigwas.pretrain.distributed import total
from contigwas.pretrain.methods import Pretraining
from contigwas.runtime.atomic_files import PathLike, replacing

log = logging.getLogger(__name__)
STATE = "state.ckpt"
WHOLE = 1 << 30  # bytes: of a larger file only the ends, the size and the time are read


class Resume(Checkpoint):
    """Save the whole state of training to `folder`/state.ckpt at the end of a batch or an epoch when `minutes` passed
    since the last time, and after the batch (in validation: the epoch) in which SIGTERM came, which then ends training
    with SIGTERMException. A crash in the middle of a save leaves the old one. Processes that train together agree.
    """

    def __init__(self, folder: PathLike, minutes: float) -> None:
        self.folder, self.seconds = Path(folder), 60 * minutes
        self.folder.mkdir(parents=True, exist_ok=True)
        self._last = time.monotonic()
        self._stop = False
        self._before: object = None

    @property
    def path(self) -> Path:
        """Where the state lies."""
        return self.folder / STATE

    def saved(self) -> Path | None:
        """The state to resume from; None, with a warning where there is one that cannot be read."""
        if not self.path.exists():
            return None
        try:
            torch.load(self.path, map_location="cpu", weights_only=True, mmap=True)
        except (RuntimeError, EOFError, OSError, KeyError, ValueError, pickle.UnpicklingError):
            log.warning("the saved state %s is damaged: training starts over", self.path)
            return None
        return self.path

    def on_fit_start(self, trainer: lightning.Trainer, module: Pretraining) -> None:
        """Take SIGTERM from Lightning, which would stop in validation without a word and unsaved."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._told)

    def teardown(self, trainer: lightning.Trainer, module: Pretraining, stage: str) -> None:
        """Give the signal back."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Pretraining, *_: object) -> None:
        """After the step, and after the learning rate's; not with a loss that is no number."""
        # validation and the row of history follow the last batch: the epoch's end saves those
        if not trainer.is_last_batch:
            self._save_if_due(trainer, module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Pretraining) -> None:
        """With the row of history written."""
        self._save_if_due(trainer, module)

    def _told(self, *_: object) -> None:
        self._stop = True

    def _save_if_due(self, trainer: lightning.Trainer, module: Pretraining) -> None:
        device = trainer.strategy.root_device
        stop = total(int(self._stop), device) > 0
        if (stop or total(int(self._is_time()), device) > 0) and total(int(not module.healthy()), device) == 0:
            self._save(trainer)
        if stop:
            raise SIGTERMException

    def _is_time(self) -> bool:
        return time.monotonic() - self._last >= self.seconds

    def _save(self, trainer: lightning.Trainer) -> None:
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.path)  # takes part, but the first process alone writes
        else:
            with replacing(self.path) as temporary:
                trainer.save_checkpoint(temporary)
            log.info("training saved in epoch %d, step %d", trainer.current_epoch + 1, trainer.global_step)
        self._last = time.monotonic()

    def remove(self) -> None:
        """Remove the state, and those of other settings or inputs beside it: the outputs are there now."""
        for folder in [path.parent for path in self.folder.parent.glob(f"*/*{STATE}")]:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def fingerprint(settings: Mapping[str, object], fold: int, files: Iterable[PathLike], code: str = "") -> str:
    """A digest of the settings, the fold, the contents of the files, `code` and the versions of torch and Lightning.

    A run resumes only from a state with the same digest.
    """
    said = [dict(settings), fold, code, torch.__version__, lightning.__version__]
    digest = blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=12)
    for path in files:
        path = Path(path)
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            if size <= WHOLE:
                while part := file.read(1 << 24):
                    digest.update(part)
            else:
                digest.update(str(path.stat().st_mtime_ns).encode() + file.read(1 << 24))
                file.seek(-(1 << 24), os.SEEK_END)
                digest.update(file.read())
    return digest.hexdigest()
