"""Small files that training depends on: what its inputs are computed from, and that they are complete."""

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError

PIECES, PIECE = 64, 1 << 18  # the number of pieces of a large file that are hashed, and their bytes


def write_digest(external_inputs: Iterable[PathLike], producing_rules: Mapping[str, Mapping], output: PathLike) -> None:
    """Write JSON: `external_inputs`, files with size and digest, and `producing_rules`, the params of each rule.

    Snakemake compares this file by content when a run was stopped between it and the training. Of a file above 16 MB
    only 64 pieces, spread from its start to its end, are hashed. Raises UserError when the disk is full.
    """
    files = [one | {"digest": _digest(Path(one["path"]))} for one in _sizes(external_inputs)]
    _write({"external_inputs": files, "producing_rules": producing_rules}, output)


def write_ready(part_files: Iterable[PathLike], output: PathLike) -> None:
    """Write JSON: `part_files`, the files of a training input with their size.

    Raises UserError when the disk is full.
    """
    _write({"part_files": _sizes(part_files)}, output)


def ready_bytes(path: PathLike) -> int:
    """The total size of the files that `write_ready` listed."""
    return sum(one["bytes"] for one in json.loads(Path(path).read_text())["part_files"])


def require_files(paths: Iterable[PathLike]) -> None:
    """Raise UserError for a training input that is missing although its `.ready` file exists."""
    for path in paths:
        if not Path(path).is_file():
            raise UserError(f"{path} is missing: remove results/training_inputs/*.ready and run the same command again")


def _sizes(paths: Iterable[PathLike]) -> list[dict[str, object]]:
    return [{"path": str(path), "bytes": Path(path).stat().st_size} for path in paths]


def _digest(path: Path) -> str:
    size, digest = path.stat().st_size, blake2b(digest_size=12)
    with path.open("rb") as file:
        if size <= PIECES * PIECE:
            digest.update(file.read())
        else:
            for number in range(PIECES):
                file.seek(number * (size - PIECE) // (PIECES - 1))
                digest.update(file.read(PIECE))
    return digest.hexdigest()


def _write(content: Mapping[str, object], output: PathLike) -> None:
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
