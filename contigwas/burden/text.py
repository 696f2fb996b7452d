"""Read text tables without a header, plain or gzipped. Errors contain the line."""

import gzip
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require, unpacked


@contextmanager
def report_corrupt_file(path: PathLike) -> Iterator[None]:
    """Convert errors of corrupt or binary files into a UserError that names `path`."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{path} is a gzipped file that is truncated or corrupt. Copy it again.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is neither UTF-8 text nor gzipped text. Supply one of them.") from None


def lines(path: PathLike, what: str) -> Iterator[str]:
    """Yield the lines of a text file without line ends; `what` is the config key of the file."""
    with report_corrupt_file(path), unpacked(require(path, what)) as file:
        for line in file:
            yield line.decode("utf-8-sig").rstrip("\r\n")  # some editors write a byte-order mark before the first line


def read_columns(
    path: PathLike, widths: Mapping[int, Sequence[str]], what: str, categorical_names: Collection[str] = ()
) -> pd.DataFrame:
    """Read a table separated by white space without a header, as strings.

    `widths` maps the number of columns to their names. Columns in `categorical_names` have few distinct values
    and become categorical. Raises UserError when the file is missing, empty, ragged or corrupt, or has another number
    of columns.
    """
    path = require(path, what)
    expected = "; or ".join(f"{width} columns per line ({', '.join(names)})" for width, names in widths.items())
    width = len(next((line for line in lines(path, what) if line.strip()), "").split())
    names = list(widths.get(width, ()))
    dtypes = {number: "category" if name in categorical_names else str for number, name in enumerate(names)}
    try:
        with report_corrupt_file(path), unpacked(path) as file:
            table = pd.read_csv(file, sep=r"\s+", header=None, dtype=dtypes or str, na_filter=False, quoting=3)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty. Expected are {expected}.") from None
    except pd.errors.ParserError as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not a regular table ({reason}). Expected are {expected}.") from None
    last = table.iloc[:, -1]
    short = (last.isna() | (last == "")).to_numpy()
    if table.shape[1] not in widths or short.any():
        where = f"line {short.argmax() + 1} is too short" if short.any() else f"line 1 has {table.shape[1]}"
        raise UserError(f"{path} is not a regular table ({where}). Expected are {expected}.")
    return table.set_axis(list(widths[table.shape[1]]), axis=1)
