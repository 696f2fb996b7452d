"""One gzipped text a result in a folder that is complete or absent, and a table of what is in it."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from contigwas.export.results import Result, frames
from contigwas.export.text import gzipped, header, lines
from contigwas.runtime.atomic_files import PathLike, replacing_folder, write_tsv
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)
LONGEST = 100  # characters of a name in a file name: some file systems take 143 bytes in all
CONTENTS = "files.tsv"

Rows = Callable[[pd.DataFrame, Counter], Mapping[str, pa.Array]]


@dataclass(frozen=True)
class Written:
    """A finished file: its path, the rows in it, and the largest sample size among them (0 without rows)."""

    path: Path
    rows: int
    largest_n: int


@dataclass(frozen=True)
class Form:
    """How a result becomes text: the file's suffix, the names of the columns, and the rows of a frame of `frames`.

    `rows` gives one text column a name, and adds what it leaves out to the counts of reasons.
    """

    suffix: str
    columns: Sequence[str]
    rows: Rows


def file_name(name: str) -> str:
    """A name that every file system takes; one that had to change ends in a digest of the name, so that none clash.

    >>> file_name("PC1"), file_name("a/b c")
    ('PC1', 'a_b_c-0af99a')
    """
    safe = re.sub(r"[^A-Za-z0-9._+-]|^[.-]|^$", "_", name)[:LONGEST]
    return safe if safe == name else f"{safe}-{sha256(name.encode()).hexdigest()[:6]}"


def write_folder(
    gwas: Mapping[str, PathLike],
    results: Iterable[Result],
    form: Callable[[Result], Form],
    output: PathLike,
    finish: Callable[[Result, Written], None] = lambda result, written: None,
    threads: int = 1,
) -> None:
    """Write one file a result, and `CONTENTS` (test, file, rows, left_out, reasons), into the folder `output`.

    `form` says how a result is written, `finish` is called for each finished file. `threads` results are written at a
    time, each with one row group of the GWAS in memory; the files do not depend on it. Rows left out are counted in
    the log and in the table.
    """
    results = list(results)
    paths = {result: f"{file_name(result.name)}{form(result).suffix}" for result in results}
    if len(set(paths.values())) < len(paths):
        raise UserError("two features would have the same file name: rename one")

    def write(result: Result) -> tuple[str, str, int, int, str]:
        counts: Counter = Counter()
        written = _write(gwas, result, form(result), folder / paths[result], counts)
        finish(result, written)
        reasons = "; ".join(f"{count} {reason}" for reason, count in sorted(counts.items()) if count)
        log.info("%s: %d rows, %d left out%s", result.name, written.rows, counts.total(), reasons and f": {reasons}")
        return result.name, written.path.name, written.rows, counts.total(), reasons

    with replacing_folder(output) as folder:
        pool = ThreadPoolExecutor(threads)
        try:
            done = tqdm(pool.map(write, results), desc="export", total=len(results), unit=" files", disable=None)
            contents = pd.DataFrame(done, columns=["test", "file", "rows", "left_out", "reasons"])
        finally:
            pool.shutdown(cancel_futures=True)  # before the folder is renamed or removed
        write_tsv(contents, folder / CONTENTS)
    log.info("%d files in %s", len(contents), output)


def _write(gwas: Mapping[str, PathLike], result: Result, form: Form, path: Path, counts: Counter) -> Written:
    rows, largest = 0, 0
    with gzipped(path) as stream:
        stream.write(header(form.columns))
        for frame in frames(gwas, result):
            columns = form.rows(frame, counts)
            stream.write(lines({name: columns[name] for name in form.columns}))
            rows += len(columns[form.columns[0]])
            largest = max(largest, int(frame["n"].max())) if len(frame) else largest
    return Written(path, rows, largest)
