"""Lossless conversion of numbers to text, and reproducible gzipped text."""

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contigwas.runtime.atomic_files import PathLike

MAX_PLAIN_LOG10P = 4  # p-values down to 1e-4 are written without an exponent, as in plink2
DIGITS = 6  # significant digits of a p-value with an exponent


@contextmanager
def gzipped(path: PathLike) -> Iterator[BinaryIO]:
    """Yield a stream to a gzip file without name and time in its header, so that equal text gives equal files."""
    with open(path, "wb") as file, gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as stream:  # noqa: PTH123
        yield stream


def text(values: pd.Series) -> pa.Array:
    """Return strings as an Arrow array."""
    return pa.array(values.to_numpy(), pa.string())


def number(values: np.ndarray, missing: str = "NA") -> pa.Array:
    """Return numbers as the shortest text that is read back as the same value; NaN becomes `missing`."""
    return pc.fill_null(pc.cast(pa.array(values, from_pandas=True), pa.string()), missing)


def p_value(log10p: np.ndarray, missing: str = "NA") -> pa.Array:
    """Return p as text from -log10 p, with at least six digits, also below the range of float64 (`1.58489e-400`)."""
    log10p = np.asarray(log10p, np.float64)
    finite = np.where(np.isnan(log10p), 0.0, log10p)
    exponent = np.floor(-finite).astype(np.int64)
    mantissa = np.round(10.0 ** (-finite - exponent), DIGITS - 1)
    exponent += mantissa >= 10
    mantissa = np.where(mantissa >= 10, 1.0, mantissa)
    plain = pc.cast(pa.array((10.0**-finite).astype(np.float32)), pa.string())
    short = pc.binary_join_element_wise(
        pc.cast(pa.array(mantissa), pa.string()), pc.cast(pa.array(exponent), pa.string()), "e"
    )
    return pc.if_else(
        pa.array(np.isnan(log10p)), missing, pc.if_else(pa.array(finite <= MAX_PLAIN_LOG10P), plain, short)
    )


def header(columns: Mapping[str, pa.Array] | list[str]) -> bytes:
    """Return the header line."""
    return ("\t".join(columns) + "\n").encode()


def lines(columns: Mapping[str, pa.Array]) -> bytes:
    """Return the rows of text columns, separated by tabs, each with a newline."""
    joined = pc.binary_join_element_wise(*(pc.cast(column, pa.string()) for column in columns.values()), "\t")
    rows = joined.to_pylist()
    return ("\n".join(rows) + "\n").encode() if rows else b""
