"""Reading the GWAS of one chromosome: only the columns and the rows that are needed."""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contigwas.errors import UserError
from contigwas.files import PathLike, require

OMNIBUS = ("minp", "manova", "acat")


def open_gwas(path: PathLike) -> pq.ParquetFile:
    """Open a GWAS Parquet file; UserError when it is missing or is not Parquet."""
    require(path, "the GWAS")
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid:
        raise UserError(f"{path} is not a Parquet file: run the gwas stage again") from None


def names(path: PathLike) -> list[str]:
    """Names of all columns, in file order."""
    return list(open_gwas(path).schema_arrow.names)


def notes(path: PathLike) -> dict[str, object]:
    """What the GWAS wrote about itself: people, covariates and how it tested; empty where the file has no notes."""
    return json.loads((open_gwas(path).metadata.metadata or {}).get(b"contigwas", b"{}"))


def features(path: PathLike) -> list[str]:
    """Names of the features that the file holds effects of, in file order."""
    return [name.removeprefix("beta_") for name in open_gwas(path).schema_arrow.names if name.startswith("beta_")]


def read_columns(path: PathLike, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns of all variants; UserError when one is not there."""
    return _open_with(path, columns).read(columns=list(columns)).to_pandas()


def read_groups(path: PathLike, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The named columns, one row group at a time: memory does not grow with the file. Errors as of `read_columns`."""
    file = _open_with(path, columns)
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, columns=list(columns)).to_pandas()


def _open_with(path: PathLike, columns: Sequence[str]) -> pq.ParquetFile:
    file = open_gwas(path)
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        there = [name for name in file.schema_arrow.names if name.removeprefix("log10p_") in OMNIBUS]
        raise UserError(
            f"{path} has no column {', '.join(missing)} (tests in it: {', '.join(there) or 'none'}): "
            "set loci.test to one of gwas.tests"
        )
    return file


def read_rows(path: PathLike, rows: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns (those that exist) of `rows`, in that order; only their row groups are read."""
    file = open_gwas(path)
    columns = [name for name in columns if name in file.schema_arrow.names]
    rows = np.asarray(rows, dtype=np.int64)
    starts = np.cumsum([0, *(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))])
    groups = np.searchsorted(starts, rows, side="right") - 1
    parts = []
    for group in np.unique(groups):
        inside = rows[groups == group]
        part = file.read_row_group(int(group), columns=columns).take(inside - starts[group]).to_pandas()
        parts.append(part.set_axis(inside, axis=0))
    return pd.concat(parts).loc[rows].reset_index(drop=True) if parts else pd.DataFrame(columns=columns)
