"""Numbers as text without loss, and gzipped text that is the same in every run."""

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contigwas.runtime.atomic_files import PathLike

PLAIN = 4  # p-values down to 1e-4 are written without an exponent, as plink2 does
DIGITS = 6  # of a p-value with an exponent


@contextmanager
def gzipped(path: PathLike) -> Iterator[BinaryIO]:
    """Write a gzip file without a name and a time in its header, so that the same text is the same file."""
    with open(path, "wb") as file, gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as stream:  # noqa: PTH123
        yield stream


def text(values: pd.Series) -> pa.Array:
    """Text as it is."""
    return pa.array(values.to_numpy(), pa.string())


def number(values: np.ndarray, missing: str = "NA") -> pa.Array:
    """Numbers as the shortest text that reads back as the same value of the same type; NaN becomes `missing`."""
    return pc.fill_null(pc.cast(pa.array(values, from_pandas=True), pa.string()), missing)


def p_value(log10p: np.ndarray, missing: str = "NA") -> pa.Array:
    """p from -log10 p, to six digits or better, also where it is smaller than any float64 (`1.58489e-400`)."""
    log10p = np.asarray(log10p, np.float64)
    known = np.where(np.isnan(log10p), 0.0, log10p)
    exponent = np.floor(-known).astype(np.int64)
    mantissa = np.round(10.0 ** (-known - exponent), DIGITS - 1)
    exponent += mantissa >= 10
    mantissa = np.where(mantissa >= 10, 1.0, mantissa)
    plain = pc.cast(pa.array((10.0**-known).astype(np.float32)), pa.string())
    short = pc.binary_join_element_wise(
        pc.cast(pa.array(mantissa), pa.string()), pc.cast(pa.array(exponent), pa.string()), "e"
    )
    return pc.if_else(pa.array(np.isnan(log10p)), missing, pc.if_else(pa.array(known <= PLAIN), plain, short))


def header(columns: Mapping[str, pa.Array] | list[str]) -> bytes:
    """The names of the columns as the first line."""
    return ("\t".join(columns) + "\n").encode()


def lines(columns: Mapping[str, pa.Array]) -> bytes:
    """The rows of some text columns, tab-separated, each with its end of line."""
    joined = pc.binary_join_element_wise(*(pc.cast(column, pa.string()) for column in columns.values()), "\t")
    rows = joined.to_pylist()
    return ("\n".join(rows) + "\n").encode() if rows else b""
