"""Search everything below results/ for the participants who withdrew, and remove what earlier runs left of them."""

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
from contigwas.privacy.withdrawal.named import samples
from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.withdrawn import read_withdrawn

log = logging.getLogger(__name__)
T = TypeVar("T")
BESIDE = {"burden_masks.fam": ["burden_masks.bed", "burden_masks.bim"]}
# samples' images, without a name
SHOWN = {
    *("images.npy", "masks.npy", "montage.png", "examples.npz", "overlays.png", "reconstructions.png"),
    *("quantiles.png", "neighbours.png", "explanations.pdf"),
}
UNFINISHED = re.compile(r"\.\w+\.(tmp|old)\.")  # what contigwas.runtime.atomic_files calls a file that it writes


def purge(
    results: PathLike, withdrawn: PathLike, candidates: PathLike, made: Iterable[PathLike], output: PathLike
) -> None:
    """Search every file below `results` that can name or show samples, and write what was found: `kind searched named
    removed rewritten`, one row a kind of file.

    `candidates` is the table of everyone who is left. `made` are the files of the present run: none of them may name
    anyone of the list `withdrawn`. Others that do are what this run does not make again (exports, models that the
    config no longer has), and are removed, with the files that hold their rows; so are images that this run does not
    make. Hashes are taken out of checkpoints, whose weights stay. States of trainings, and files half written, that are
    older than `candidates` are removed. Links to folders are followed. Raises UserError when a file of the present run
    names someone who withdrew, and when a file cannot be read.
    """
    gone, began = read_withdrawn(withdrawn), Path(candidates).stat().st_mtime
    current = {Path(path).resolve() for path in made}
    counts: Counter[tuple[str, str]] = Counter()
    still = []
    for path in _files(Path(results)):
        kind, inside = path.name.partition(".")[2] or path.name, path.resolve() in current
        if UNFINISHED.match(path.name) or path.name == "state.ckpt":
            if path.stat().st_mtime < began:
                _count(counts, "unfinished", removed=True)
                _remove_unfinished(path)
        elif path.name in SHOWN:
            _count(counts, path.name, removed=not inside)
            if not inside:
                _remove(path, "shows samples and is not made by this run")
        elif path.suffix == ".ckpt":
            found = _read(path, lambda one: forget(one, gone))
            _count(counts, kind, named=bool(found), rewritten=bool(found))
        elif named := _read(path, samples):
            found = len(named & gone)
            _count(counts, kind, named=bool(found), removed=bool(found) and not inside)
            if found and inside:
                still.append(path)
            elif found:
                _remove(path, f"names {found} of them and is not made by this run")
    if still:
        raise UserError(
            f"{len(still)} files still name samples of {withdrawn}, {still[0]} first: they were taken for current "
            "though older than the list, so run snakemake --forcerun samples_candidates"
        )
    kinds = sorted({kind for kind, _ in counts})
    columns = ["searched", "named", "removed", "rewritten"]
    table = pd.DataFrame(
        [{"kind": kind} | {one: counts[kind, one] for one in columns} for kind in kinds], columns=["kind", *columns]
    )
    log.info("%d samples are withdrawn; %d files searched, %d named some of them: %d removed, %d rewritten",
             len(gone), *(int(table[one].sum()) for one in columns))  # fmt: skip
    write_tsv(table, output)


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, sorted, each folder once whatever links lead to it."""
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
    """What `reader` says of a file; None where the file is gone, because a job beside this one replaced it."""
    try:
        return reader(path)
    except FileNotFoundError:
        return None
    except MemoryError:
        raise
    except Exception:  # a file of anything raises anything
        raise UserError(f"{path} cannot be read, so whom it names is not known: remove it, and run again") from None


def _count(counts: Counter, kind: str, **what: bool) -> None:
    counts[kind, "searched"] += 1
    for name, is_so in what.items():
        counts[kind, name] += int(is_so)


def _remove(path: Path, why: str) -> None:
    log.info("%s %s: removed", path, why)
    for one in [path, *(path.with_name(name) for name in BESIDE.get(path.name, []))]:
        one.unlink(missing_ok=True)


def _remove_unfinished(path: Path) -> None:
    """The state of a training of other samples, which can go on nowhere, with its folder; or a file half written."""
    log.info("%s was left by a run of other samples: removed", path)
    if path.name == "state.ckpt":
        shutil.rmtree(path.parent, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
