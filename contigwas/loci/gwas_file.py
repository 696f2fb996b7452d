"""Reading the GWAS of one chromosome: only the columns and the rows that are needed.

A model of more than 256 features has several files a chromosome, which are read as one: `path` is always the first.
"""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contigwas.gwas.output import NUMBERS, OMNIBUS, features_folder
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require


def open_gwas(path: PathLike) -> pq.ParquetFile:
    """Open a GWAS Parquet file; UserError when it is missing or is not Parquet."""
    require(path, "the GWAS")
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid:
        raise UserError(f"{path} is not a Parquet file: run the gwas stage again") from None


def _files(path: PathLike) -> dict[pq.ParquetFile, list[str]]:
    """The files of a chromosome, each with the names of the columns that no earlier one has."""
    folder = features_folder(path)
    further = sorted(folder.glob("*.parquet"), key=lambda one: int(one.stem.rpartition("_")[2].partition("-")[0]))
    found: dict[pq.ParquetFile, list[str]] = {}
    for one in [path, *further]:
        file = open_gwas(one)
        seen = {name for columns in found.values() for name in columns}
        found[file] = [name for name in file.schema_arrow.names if name not in seen]
    return found


def names(path: PathLike) -> list[str]:
    """Names of all columns, in file order."""
    return [name for columns in _files(path).values() for name in columns]


def notes(path: PathLike) -> dict[str, object]:
    """What the GWAS wrote about itself: samples, covariates and how it tested; empty where the file has no notes."""
    return json.loads((open_gwas(path).metadata.metadata or {}).get(b"contigwas", b"{}"))


def features(path: PathLike) -> list[str]:
    """Names of the features that the file holds numbers of, in file order."""
    found = {}
    for name in names(path):
        kind, _, feature = name.partition("_")
        if kind in NUMBERS and not (kind == "log10p" and feature in OMNIBUS):
            found[feature] = None
    return list(found)


def read_columns(path: PathLike, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns of all variants; UserError when one is not there."""
    parts = [file.read(columns=some).to_pandas() for file, some in _holding(path, columns).items()]
    return pd.concat(parts, axis=1)[list(columns)]


def read_groups(path: PathLike, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The named columns, one row group at a time: memory does not grow with the file. Errors as of `read_columns`."""
    files = _holding(path, columns)
    for group in range(next(iter(files)).num_row_groups):
        parts = [file.read_row_group(group, columns=some).to_pandas() for file, some in files.items()]
        yield pd.concat(parts, axis=1)[list(columns)]


def _holding(path: PathLike, columns: Sequence[str]) -> dict[pq.ParquetFile, list[str]]:
    """The files that hold the named columns, each with those it holds; UserError when a column is not there."""
    files = _files(path)
    known = {name for there in files.values() for name in there}
    missing = [name for name in columns if name not in known]
    if missing:
        tests = [f"log10p_{name}" for name in OMNIBUS if f"log10p_{name}" in known]
        raise UserError(
            f"{path} has no column {', '.join(missing)} (tests in it: {', '.join(tests) or 'none'}): "
            "set loci.test to one of gwas.tests, and keep that column in gwas.columns"
        )
    wanted = {file: [name for name in columns if name in there] for file, there in files.items()}
    return {file: some for file, some in wanted.items() if some}


def read_rows(path: PathLike, rows: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns (those that exist) of `rows`, in that order; only their row groups are read."""
    there = set(names(path))
    columns = [name for name in columns if name in there]
    rows = np.asarray(rows, dtype=np.int64)
    if not len(rows) or not columns:
        return pd.DataFrame(columns=columns)
    parts = [_rows(file, rows, some) for file, some in _holding(path, columns).items()]
    return pd.concat(parts, axis=1)[columns]


def _rows(file: pq.ParquetFile, rows: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
    starts = np.cumsum([0, *(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))])
    groups = np.searchsorted(starts, rows, side="right") - 1
    parts = []
    for group in np.unique(groups):
        inside = rows[groups == group]
        part = file.read_row_group(int(group), columns=columns).take(inside - starts[group]).to_pandas()
        parts.append(part.set_axis(inside, axis=0))
    return pd.concat(parts).loc[rows].reset_index(drop=True)
