"""Search everything below results/ for the people who withdrew, and remove what earlier runs left of them."""

import logging
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from contigwas.errors import UserError
from contigwas.files import PathLike, write_tsv
from contigwas.samples.withdrawn import read_withdrawn
from contigwas.withdrawal.checkpoint import forget
from contigwas.withdrawal.named import people

log = logging.getLogger(__name__)
BESIDE = {"images.parquet": ["images.npy"], "burden_masks.fam": ["burden_masks.bed", "burden_masks.bim"]}


def purge(
    results: PathLike, withdrawn: PathLike, candidates: PathLike, made: Iterable[PathLike], output: PathLike
) -> None:
    """Search every file below `results` that can name people, and write what was found: `kind searched named removed
    rewritten`, one row a kind of file.

    `candidates` is the table of everyone who is left. `made` are the files of the present run: none of them may name
    anyone of the list `withdrawn`. Others that do are what this run does not make again (exports, models that the
    config no longer has), and are removed, with the files that hold their rows. Hashes are taken out of checkpoints,
    whose weights stay. States of trainings older than `candidates` are removed. Raises UserError when a file of the
    present run names someone who withdrew, and when a file cannot be read.
    """
    gone, results = read_withdrawn(withdrawn), Path(results)
    current = {Path(path).resolve() for path in made}
    counts: Counter[tuple[str, str]] = Counter()
    still = []
    for path in sorted(one for one in results.rglob("*") if one.is_file()):
        kind = path.name.partition(".")[2] or path.name
        if path.name == "state.ckpt":
            _count(counts, "state.ckpt", removed=_drop_state(path, Path(candidates)))
        elif path.suffix == ".ckpt":
            _count(counts, kind, named=bool(found := forget(path, gone)), rewritten=bool(found))
        elif named := _named(path):
            found = len(named & gone)
            inside = path.resolve() in current
            _count(counts, kind, named=bool(found), removed=bool(found) and not inside)
            if found and inside:
                still.append(path)
            elif found:
                _remove(path, found)
    if still:
        raise UserError(
            f"{len(still)} files still name people of {withdrawn}, {still[0]} first: they were taken for current "
            "though older than the list, so run snakemake --forcerun samples_candidates"
        )
    kinds = sorted({kind for kind, _ in counts})
    columns = ["searched", "named", "removed", "rewritten"]
    table = pd.DataFrame([{"kind": kind} | {one: counts[kind, one] for one in columns} for kind in kinds])
    log.info("%d people are withdrawn; %d files searched, %d named some of them: %d removed, %d rewritten",
             len(gone), *(int(table[one].sum()) for one in columns))  # fmt: skip
    write_tsv(table, output)


def _named(path: Path) -> set[str] | None:
    try:
        return people(path)
    except (OSError, ValueError, KeyError):
        raise UserError(f"{path} cannot be read, so whom it names is not known: remove it, and run again") from None


def _count(counts: Counter, kind: str, **what: bool) -> None:
    counts[kind, "searched"] += 1
    for name, is_so in what.items():
        counts[kind, name] += int(is_so)


def _remove(path: Path, found: int) -> None:
    log.info("%s names %d of them and is not made by this run: removed", path, found)
    for one in [path, *(path.with_name(name) for name in BESIDE.get(path.name, []))]:
        one.unlink(missing_ok=True)


def _drop_state(path: Path, candidates: Path) -> bool:
    """Remove the state of an unfinished training of other people: it can go on nowhere, its inputs are no more."""
    old = path.stat().st_mtime < candidates.stat().st_mtime
    if old:
        log.info("%s is of a training of other people: removed", path)
        shutil.rmtree(path.parent)
    return old
