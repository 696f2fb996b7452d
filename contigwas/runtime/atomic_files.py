"""Atomic writes: a file or folder is written completely or not at all."""

import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from contigwas.runtime.disk import report_disk_errors

PathLike = str | os.PathLike


@contextmanager
def replacing(path: PathLike, crowded: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, with the same suffix; rename it to `path` if the block succeeds.

    Temporary files that killed processes left of `path` are removed first. `crowded` skips this and the flush to the
    disk, for folders with thousands of files; the caller then calls `sweep` once. Raises UserError if the disk is full
    or not writable. After any error the temporary file is removed.
    """
    path = Path(path)
    with report_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not crowded:
            sweep(path.parent, path.name)
        temporary = _temporary_name(path, "tmp")
        try:
            yield temporary
            if not crowded:
                _flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: PathLike) -> Iterator[Path]:
    """Yield a temporary folder next to `path`; if the block succeeds, it replaces the folder `path`.

    Errors and temporary files are handled as in `replacing`.
    """
    path = Path(path)
    with report_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, path.name)
        temporary, old = _temporary_name(path, "tmp"), _temporary_name(path, "old")
        temporary.mkdir()
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _flush(file)
            if path.exists():
                path.rename(old)
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def sweep(folder: PathLike, name: str = "*") -> None:
    """Remove temporary files that killed processes left in `folder`, of the file or folder `name` (`*`: of all)."""
    pattern = name if name == "*" else glob.escape(name)
    for kind in ("tmp", "old"):
        for path in Path(folder).glob(f".*.{kind}.{pattern}"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _temporary_name(path: Path, kind: str) -> Path:
    """Return a temporary name in the same folder that no other process uses, on any machine."""
    return path.with_name(f".{secrets.token_hex(4)}.{kind}.{path.name}")


def _flush(path: Path) -> None:
    """Write the content of a file to the disk; otherwise a crash after the rename could leave an empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def private_folder(path: PathLike) -> Path:
    """Make a folder for files with sample IDs, readable only by its owner (mode 0700), and return it.

    Its parents get the same mode, up to the nearest one called `private`.
    """
    path = Path(path)
    with report_disk_errors(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        upwards = path.parts[::-1]
        n_parents = upwards.index("private") if "private" in upwards else 0
        for folder in [path, *list(path.parents)[:n_parents]]:
            folder.chmod(0o700)
    return path


def write_tsv(table: pd.DataFrame, path: PathLike) -> None:
    """Write a table as TSV with a header and NA for missing values, completely or not at all."""
    with replacing(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, na_rep="NA", lineterminator="\n")


def write_parquet(table: pd.DataFrame, path: PathLike) -> None:
    """Write a table as zstd Parquet without the index, completely or not at all."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")
