"""Columns of text without a header, plain or gzipped, with errors that name the line."""

import gzip
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require, unpacked


@contextmanager
def readable(path: PathLike) -> Iterator[None]:
    """Turn what a damaged or binary file raises into a UserError that names `path`."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{path} is a gzipped file that is cut short or damaged: copy it again") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is neither UTF-8 text nor gzipped text: supply one of them") from None


def lines(path: PathLike, what: str) -> Iterator[str]:
    """The lines of a text file, without their ends; `what` names the key of the config that names it."""
    with readable(path), unpacked(require(path, what)) as file:
        for line in file:
            yield line.decode("utf-8-sig").rstrip("\r\n")  # some editors put a mark before the first line


def read_columns(
    path: PathLike, widths: Mapping[int, Sequence[str]], what: str, few: Collection[str] = ()
) -> pd.DataFrame:
    """White-space-separated strings without a header; the number of columns tells their names in `widths`.

    Columns named in `few` have few values and are categorical. Raises UserError when the file is missing, empty,
    ragged, damaged, or has another number of columns.
    """
    path = require(path, what)
    form = "; or ".join(f"{width} columns a line ({', '.join(names)})" for width, names in widths.items())
    width = len(next((line for line in lines(path, what) if line.strip()), "").split())
    names = list(widths.get(width, ()))
    kinds = {number: "category" if name in few else str for number, name in enumerate(names)}
    try:
        with readable(path), unpacked(path) as file:
            table = pd.read_csv(file, sep=r"\s+", header=None, dtype=kinds or str, na_filter=False, quoting=3)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty: {form} are expected") from None
    except pd.errors.ParserError as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not regular ({reason}): {form} are expected") from None
    last = table.iloc[:, -1]
    short = (last.isna() | (last == "")).to_numpy()
    if table.shape[1] not in widths or short.any():
        where = f"line {short.argmax() + 1} is short" if short.any() else f"line 1 has {table.shape[1]}"
        raise UserError(f"{path} is not regular ({where}): {form} are expected")
    return table.set_axis(list(widths[table.shape[1]]), axis=1)
