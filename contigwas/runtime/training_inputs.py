"""What training depends on: what a part of its data is made of, and that the part is there, as small files."""

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError

PIECES, PIECE = 64, 1 << 18  # of a large file's digest: how many, and their bytes


def write_lineage(origins: Iterable[PathLike], made_with: Mapping[str, Mapping], output: PathLike) -> None:
    """Write JSON: `origins`, the files from outside with their bytes and a digest, and `made_with`, settings and a
    digest of the code of every rule in between. Raises UserError when the disk is full.

    Snakemake compares this file by content where a run was stopped between it and the training. Of a file of over 16 MB
    the digest is of 64 pieces from its beginning to its end.
    """
    files = [one | {"digest": _digest(Path(one["path"]))} for one in _sizes(origins)]
    _write({"origins": files, "made_with": made_with}, output)


def write_ready(made: Iterable[PathLike], output: PathLike) -> None:
    """Write JSON: `made`, the files of a part with their size in bytes. Raises UserError when the disk is full."""
    _write({"made": _sizes(made)}, output)


def ready_bytes(path: PathLike) -> int:
    """The bytes of the files that `write_ready` found there."""
    return sum(one["bytes"] for one in json.loads(Path(path).read_text())["made"])


def require_made(paths: Iterable[PathLike]) -> None:
    """Raise UserError for a file that a `.ready` file stands for and that is gone."""
    for path in paths:
        if not Path(path).is_file():
            raise UserError(f"{path} is gone: remove results/lineage/*.ready and run the same command again")


def _sizes(paths: Iterable[PathLike]) -> list[dict[str, object]]:
    return [{"path": str(path), "bytes": Path(path).stat().st_size} for path in paths]


def _digest(path: Path) -> str:
    size, found = path.stat().st_size, blake2b(digest_size=12)
    with path.open("rb") as file:
        if size <= PIECES * PIECE:
            found.update(file.read())
        else:
            for number in range(PIECES):
                file.seek(number * (size - PIECE) // (PIECES - 1))
                found.update(file.read(PIECE))
    return found.hexdigest()


def _write(content: Mapping[str, object], output: PathLike) -> None:
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
