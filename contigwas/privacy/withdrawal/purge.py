"""Search the results folder for withdrawn participants, and remove outdated files that name or show them."""

import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pandas as pd

from contigwas.privacy.withdrawal.checkpoint import forget
from contigwas.privacy.withdrawal.named import read_iids
from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.withdrawn import read_withdrawn

log = logging.getLogger(__name__)
T = TypeVar("T")
# files that are removed together with a file
COMPANION_FILES = {"burden_masks.fam": ["burden_masks.bed", "burden_masks.bim"]}
# files that show images of samples, but hold no IIDs
IMAGE_FILES = {
    *("images.npy", "masks.npy", "montage.png", "examples.npz", "overlays.png", "reconstructions.png"),
    *("quantiles.png", "neighbours.png", "explanations.pdf"),
}
UNFINISHED = re.compile(r"\.\w+\.(tmp|old)\.")  # temporary names of contigwas.runtime.atomic_files


def purge(
    results: PathLike, withdrawn: PathLike, candidates: PathLike, made: Iterable[PathLike], output: PathLike
) -> None:
    """Search every file below `results` that can name or show samples, and write the counts to `output`.

    The table has one row per kind of file, with the columns `kind searched named removed rewritten`.

    Args:
        results: the results folder; links to folders are followed.
        withdrawn: the list of withdrawn participants.
        candidates: table of the remaining samples, which is written at the start of the run.
        made: files of the present run. None of them may name a withdrawn participant.
        output: path of the table.

    Other files that name a withdrawn participant are outdated (exports, models that are no longer in the config) and
    are removed together with their companion files. Image files that this run does not make are removed too.
    Checkpoints are rewritten without the hashes of withdrawn participants; their weights stay. Training states and
    temporary files that are older than `candidates` are removed. Raises UserError if a file of the present run names a
    withdrawn participant, or if a file cannot be read.
    """
    withdrawn_iids, run_start = read_withdrawn(withdrawn), Path(candidates).stat().st_mtime
    current_paths = {Path(path).resolve() for path in made}
    counts: Counter[tuple[str, str]] = Counter()
    still_named = []
    for path in _files(Path(results)):
        kind, is_current = path.name.partition(".")[2] or path.name, path.resolve() in current_paths
        if UNFINISHED.match(path.name) or path.name == "state.ckpt":
            if path.stat().st_mtime < run_start:
                _add_to_counts(counts, "unfinished", removed=True)
                _remove_unfinished(path)
        elif path.name in IMAGE_FILES:
            _add_to_counts(counts, path.name, removed=not is_current)
            if not is_current:
                _remove(path, "shows samples and is not an output of this run")
        elif path.suffix == ".ckpt":
            found = _read(path, lambda one: forget(one, withdrawn_iids))
            _add_to_counts(counts, kind, named=bool(found), rewritten=bool(found))
        elif named := _read(path, read_iids):
            found = len(named & withdrawn_iids)
            _add_to_counts(counts, kind, named=bool(found), removed=bool(found) and not is_current)
            if found and is_current:
                still_named.append(path)
            elif found:
                _remove(path, f"names {found} withdrawn participants and is not an output of this run")
    if still_named:
        raise UserError(
            f"{still_named[0]} still names participants of {withdrawn} ({len(still_named)} files in all do). "
            "The files are older than the list: run snakemake --forcerun samples_candidates"
        )
    kinds = sorted({kind for kind, _ in counts})
    columns = ["searched", "named", "removed", "rewritten"]
    table = pd.DataFrame(
        [{"kind": kind} | {one: counts[kind, one] for one in columns} for kind in kinds], columns=["kind", *columns]
    )
    log.info("%d participants are withdrawn; %d files searched, %d named them: %d removed, %d rewritten",
             len(withdrawn_iids), *(int(table[one].sum()) for one in columns))  # fmt: skip
    write_tsv(table, output)


def _files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, sorted; a folder that several links lead to is visited once."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


def _read(path: Path, reader: Callable[[Path], T]) -> T | None:
    """Return the result of `reader`, or None if a job that runs at the same time replaced the file."""
    try:
        return reader(path)
    except FileNotFoundError:
        return None
    except MemoryError:
        raise
    except Exception:  # a damaged file may raise any exception
        raise UserError(f"{path} cannot be read, so its IIDs cannot be checked. Remove it and run again") from None


def _add_to_counts(counts: Counter, kind: str, **what: bool) -> None:
    """Count one file of a kind."""
    counts[kind, "searched"] += 1
    for name, is_true in what.items():
        counts[kind, name] += int(is_true)


def _remove(path: Path, why: str) -> None:
    """Remove a file and its companion files."""
    log.info("%s: removed, because it %s", path, why)
    for one in [path, *(path.with_name(name) for name in COMPANION_FILES.get(path.name, []))]:
        one.unlink(missing_ok=True)


def _remove_unfinished(path: Path) -> None:
    """Remove a temporary file, or a training state with its folder: it is of other samples and cannot be resumed."""
    log.info("%s: removed, because it is of an earlier run with other samples", path)
    if path.name == "state.ckpt":
        shutil.rmtree(path.parent, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
