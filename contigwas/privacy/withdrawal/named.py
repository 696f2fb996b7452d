"""Readers of the IIDs in a file, for every format that this package writes."""

from collections.abc import Callable
from pathlib import Path

import anndata as ad
import pandas as pd
import pyarrow.parquet as pq

COLUMNS = {
    "iid",
    "iid1",
    "iid2",
}  # compared in lower case; fid is left out, because a family ID does not identify a participant


def read_iids(path: Path) -> set[str] | None:
    """Return the IIDs in a file, or None if its format or its columns have none.

    The formats are Parquet, `.h5ad`, text tables with a header (`.tsv`, `.tsv.gz`, `.csv`) and PLINK `.fam`. Only the
    columns with IIDs are read. For a damaged file the exception of its reader is raised.
    """
    for suffix, read in READERS.items():
        if path.name.endswith(suffix):
            return read(path)
    return None


def _parquet(path: Path) -> set[str] | None:
    columns = [name for name in pq.read_schema(path).names if name.lower() in COLUMNS]
    return _values(pd.read_parquet(path, columns=columns)) if columns else None


def _anndata(path: Path) -> set[str]:
    data = ad.read_h5ad(path, backed="r")
    try:
        return {*data.obs_names.astype(str)} | (_values(data.obs[_iid_columns(data.obs)]) or set())
    finally:
        data.file.close()


def _table(path: Path) -> set[str] | None:
    separator = "," if ".csv" in path.suffixes else "\t"
    try:
        columns = _iid_columns(pd.read_csv(path, sep=separator, nrows=0))
    except pd.errors.EmptyDataError:
        return None
    if not columns:
        return None
    return _values(pd.read_csv(path, sep=separator, usecols=columns, dtype=str, keep_default_na=False))


def _fam(path: Path) -> set[str] | None:
    return _values(pd.read_csv(path, sep=r"\s+", header=None, usecols=[1], dtype=str, keep_default_na=False))


def _iid_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns with IIDs."""
    return [name for name in table.columns if str(name).lstrip("#").lower() in COLUMNS]


def _values(table: pd.DataFrame) -> set[str] | None:
    return {str(one) for name in table.columns for one in table[name]} if len(table.columns) else None


READERS: dict[str, Callable[[Path], set[str] | None]] = {
    ".parquet": _parquet,
    ".h5ad": _anndata,
    ".tsv": _table,
    ".tsv.gz": _table,
    ".csv": _table,
    ".fam": _fam,
}
