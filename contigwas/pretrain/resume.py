"""Never lose training: the state of a run on disk, every few minutes and when a scheduler says stop."""

import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Checkpoint

from contigwas.files import PathLike
from contigwas.pretrain.methods import Pretraining

log = logging.getLogger(__name__)
STATE = "state.ckpt"
WHOLE = 1 << 30  # bytes: of a larger file only the ends, the size and the time are read


class Resume(Checkpoint):
    """Save the whole state of training to `folder`/state.ckpt at the end of a batch or an epoch when `minutes` passed
    since the last time, and after the batch in which SIGTERM came. A crash in the middle of a save leaves the old one.
    """

    def __init__(self, folder: PathLike, minutes: float) -> None:
        self.folder, self.seconds = Path(folder), 60 * minutes
        self.folder.mkdir(parents=True, exist_ok=True)
        self._last = time.monotonic()

    @property
    def path(self) -> Path:
        """Where the state lies."""
        return self.folder / STATE

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Pretraining, *_: object) -> None:
        """After the step, and after the learning rate's; not with a loss that is no number."""
        # validation and the row of history follow the last batch: the epoch's end saves those
        if not trainer.is_last_batch and (trainer.received_sigterm or self._is_time()) and module.healthy():
            self._save(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """With the row of history written."""
        if trainer.received_sigterm or self._is_time():
            self._save(trainer)

    def _is_time(self) -> bool:
        return time.monotonic() - self._last >= self.seconds

    def _save(self, trainer: lightning.Trainer) -> None:
        temporary = self.path.with_name(f"{STATE}.tmp")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            temporary.replace(self.path)
            log.info("training saved in epoch %d, step %d", trainer.current_epoch + 1, trainer.global_step)
        self._last = time.monotonic()


def fingerprint(settings: Mapping[str, object], fold: int, files: Iterable[PathLike]) -> str:
    """A hash of the settings and of what is in the files: a run goes on only from a state of its own."""
    digest = blake2b(json.dumps([dict(settings), fold], sort_keys=True).encode(), digest_size=12)
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
