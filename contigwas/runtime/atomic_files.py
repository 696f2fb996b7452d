"""Atomic files: a file is complete or absent."""

import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from contigwas.runtime.disk import reported

PathLike = str | os.PathLike


@contextmanager
def replacing(path: PathLike, crowded: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with the same suffix; rename it to `path` if the block succeeds.

    What killed processes left of `path` is removed, unless its folder is `crowded` with thousands of files that are
    made one by one: then its maker calls `sweep`, and is spared a flush to the disk for each. Raises UserError when the
    disk is full or may not be written; nothing is left behind then, as after any error.
    """
    path = Path(path)
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not crowded:
            sweep(path.parent, path.name)
        temporary = _beside(path, "tmp")
        try:
            yield temporary
            if not crowded:
                _flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: PathLike) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path`, whatever stood there, if the block succeeds.

    The same promises as those of `replacing`.
    """
    path = Path(path)
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, path.name)
        temporary, old = _beside(path, "tmp"), _beside(path, "old")
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
    """Remove what processes that were killed left in `folder` of the file or folder `name` (a pattern: of all)."""
    pattern = name if name == "*" else glob.escape(name)
    for kind in ("tmp", "old"):
        for path in Path(folder).glob(f".*.{kind}.{pattern}"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _beside(path: Path, kind: str) -> Path:
    """A name that no other process takes, on this machine or on another one."""
    return path.with_name(f".{secrets.token_hex(4)}.{kind}.{path.name}")


def _flush(path: Path) -> None:
    """Supply a file's content to the disk: else a machine that fails after the rename may leave it empty."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def private_folder(path: PathLike) -> Path:
    """Make the folder for files that name samples, readable by its owner only (mode 0700), and return it.

    So are those above it, up to the nearest that is called private.
    """
    path = Path(path)
    with reported(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        upwards = path.parts[::-1]
        above = upwards.index("private") if "private" in upwards else 0
        for one in [path, *list(path.parents)[:above]]:
            one.chmod(0o700)
    return path


def write_tsv(table: pd.DataFrame, path: PathLike) -> None:
    """Write a table as TSV with a header, complete or not at all."""
    with replacing(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, na_rep="NA", lineterminator="\n")


def write_parquet(table: pd.DataFrame, path: PathLike) -> None:
    """Write a table as zstd Parquet without the index, complete or not at all."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")
