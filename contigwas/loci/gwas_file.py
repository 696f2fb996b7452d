"""Readers of the GWAS of one chromosome, which read only the columns and rows that are needed.

A model of more than 256 features has several files per chromosome, which are read as one; `path` is the first of them.
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
    """Open a GWAS Parquet file; raise UserError if it is missing or is not Parquet."""
    require(path, "the GWAS")
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid:
        raise UserError(f"{path} is not a Parquet file. Run the stage gwas again") from None


def _files(path: PathLike) -> dict[pq.ParquetFile, list[str]]:
    """Return the files of a chromosome, each with the names of the columns that no earlier file has."""
    folder = features_folder(path)
    further = sorted(folder.glob("*.parquet"), key=lambda one: int(one.stem.rpartition("_")[2].partition("-")[0]))
    found: dict[pq.ParquetFile, list[str]] = {}
    for one in [path, *further]:
        file = open_gwas(one)
        seen = {name for columns in found.values() for name in columns}
        found[file] = [name for name in file.schema_arrow.names if name not in seen]
    return found


def names(path: PathLike) -> list[str]:
    """Return the names of all columns, in file order."""
    return [name for columns in _files(path).values() for name in columns]


def notes(path: PathLike) -> dict[str, object]:
    """Return the metadata of the GWAS (samples, covariates, settings and counts); empty if the file has none."""
    return json.loads((open_gwas(path).metadata.metadata or {}).get(b"contigwas", b"{}"))


def features(path: PathLike) -> list[str]:
    """Return the names of the features with any stored number, in file order."""
    found = {}
    for name in names(path):
        kind, _, feature = name.partition("_")
        if kind in NUMBERS and not (kind == "log10p" and feature in OMNIBUS):
            found[feature] = None
    return list(found)


def read_columns(path: PathLike, columns: Sequence[str]) -> pd.DataFrame:
    """Return the named columns of all variants; raise UserError if one is missing."""
    parts = [file.read(columns=selected).to_pandas() for file, selected in _files_with(path, columns).items()]
    return pd.concat(parts, axis=1)[list(columns)]


def read_groups(path: PathLike, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield the named columns, one row group at a time, so that memory use does not grow with the file.

    Raises UserError if a column is missing.
    """
    files = _files_with(path, columns)
    for group in range(next(iter(files)).num_row_groups):
        parts = [file.read_row_group(group, columns=selected).to_pandas() for file, selected in files.items()]
        yield pd.concat(parts, axis=1)[list(columns)]


def _files_with(path: PathLike, columns: Sequence[str]) -> dict[pq.ParquetFile, list[str]]:
    """Return the files that hold the named columns, each with its columns; raise UserError if one is missing."""
    files = _files(path)
    stored = {name for names_in_file in files.values() for name in names_in_file}
    missing = [name for name in columns if name not in stored]
    if missing:
        tests = [f"log10p_{name}" for name in OMNIBUS if f"log10p_{name}" in stored]
        raise UserError(
            f"{path}: no column {', '.join(missing)} (the file has the tests {', '.join(tests) or 'none'}). "
            "Set loci.test to one of gwas.tests, and keep that column in gwas.columns"
        )
    wanted = {file: [name for name in columns if name in names_in_file] for file, names_in_file in files.items()}
    return {file: selected for file, selected in wanted.items() if selected}


def read_rows(path: PathLike, rows: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
    """Return the named columns (those that exist) of `rows`, in this order; only their row groups are read."""
    stored = set(names(path))
    columns = [name for name in columns if name in stored]
    rows = np.asarray(rows, dtype=np.int64)
    if not len(rows) or not columns:
        return pd.DataFrame(columns=columns)
    parts = [_rows(file, rows, selected) for file, selected in _files_with(path, columns).items()]
    return pd.concat(parts, axis=1)[columns]


def _rows(file: pq.ParquetFile, rows: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
    """Return `columns` of `rows` of one file."""
    starts = np.cumsum([0, *(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))])
    groups = np.searchsorted(starts, rows, side="right") - 1
    parts = []
    for group in np.unique(groups):
        inside = rows[groups == group]
        part = file.read_row_group(int(group), columns=columns).take(inside - starts[group]).to_pandas()
        parts.append(part.set_axis(inside, axis=0))
    return pd.concat(parts).loc[rows].reset_index(drop=True)
