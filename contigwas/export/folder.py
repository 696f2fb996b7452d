"""Writer of a folder with one gzipped text file per result and a table of contents."""

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
MAX_NAME_LENGTH = 100  # characters; some file systems allow 143 bytes per file name
CONTENTS = "files.tsv"

Rows = Callable[[pd.DataFrame, Counter], Mapping[str, pa.Array]]


@dataclass(frozen=True)
class Written:
    """A finished file.

    Attributes:
        path: its path.
        rows: number of rows.
        max_n: maximum sample size of the rows; 0 without rows.
    """

    path: Path
    rows: int
    max_n: int


@dataclass(frozen=True)
class Form:
    """Text format of a result.

    Attributes:
        suffix: suffix of the file.
        columns: names of the columns.
        rows: function that converts a frame of `frames` to text columns, by name, and adds the rows that it leaves out
            to a counter of reasons.
    """

    suffix: str
    columns: Sequence[str]
    rows: Rows


def file_name(name: str) -> str:
    """Return a file name that is valid on every file system; a changed name ends in a digest, so that it is unique.

    >>> file_name("PC1"), file_name("a/b c")
    ('PC1', 'a_b_c-0af99a')
    """
    safe = re.sub(r"[^A-Za-z0-9._+-]|^[.-]|^$", "_", name)[:MAX_NAME_LENGTH]
    return safe if safe == name else f"{safe}-{sha256(name.encode()).hexdigest()[:6]}"


def write_folder(
    gwas: Mapping[str, PathLike],
    results: Iterable[Result],
    form: Callable[[Result], Form],
    output: PathLike,
    finish: Callable[[Result, Written], None] = lambda result, written: None,
    threads: int = 1,
) -> None:
    """Write one file per result, and `CONTENTS` (test, file, rows, left_out, reasons), to the folder `output`.

    `form` returns the format of a result, and `finish` is called for each finished file. `threads` results are written
    at a time, each with one row group of the GWAS in memory. The files do not depend on `threads`. Rows that are left
    out are counted in the log and in the table. Raises UserError if two features would have the same file name.
    """
    results = list(results)
    paths = {result: f"{file_name(result.name)}{form(result).suffix}" for result in results}
    if len(set(paths.values())) < len(paths):
        raise UserError("two features would have the same file name: rename one of them")

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
            pool.shutdown(cancel_futures=True)  # stops the threads before the folder is renamed or removed
        write_tsv(contents, folder / CONTENTS)
    log.info("%d files in %s", len(contents), output)


def _write(gwas: Mapping[str, PathLike], result: Result, form: Form, path: Path, counts: Counter) -> Written:
    """Write the file of one result."""
    rows, max_n = 0, 0
    with gzipped(path) as stream:
        stream.write(header(form.columns))
        for frame in frames(gwas, result):
            columns = form.rows(frame, counts)
            stream.write(lines({name: columns[name] for name in form.columns}))
            rows += len(columns[form.columns[0]])
            max_n = max(max_n, int(frame["n"].max())) if len(frame) else max_n
    return Written(path, rows, max_n)
