"""Readers of user-supplied text tables; error messages name the file and the line."""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

# columns that are always read as strings
TEXT = ["fid", "iid", "id", "lead_id", "family", "chrom", "best_feature"]
FIELDS = 2**24  # maximum number of fields in memory when one column is read
MISSING_VALUES = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>", "."]
NUMBER = r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"


def require(path: PathLike, what: str) -> Path:
    """Return `path` as a Path; raise UserError if the file, described by `what`, does not exist."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: correct {what} in the config, or put the file there")
    return path


def unpacked(path: PathLike) -> BinaryIO:
    """Open a file in binary mode, decompressed if its content is gzipped or bgzipped, whatever its name."""
    path = Path(path)
    with path.open("rb") as file:
        is_gzipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if is_gzipped else path.open("rb")


def read_table(
    path: PathLike, columns: Sequence[str] = (), what: str = "table", text: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a text table with a header, separated by tabs, commas or white space.

    The columns `TEXT` and `text` are read as strings, even if all values are numbers. Any other column is numeric if
    all its values are numbers. The names of `columns`, iid and fid are converted to lower case, and a leading `#` is
    removed from the header. Raises UserError if the file is missing, empty or ragged, or if one of `columns` is missing
    or is present in both upper and lower case.
    """
    path = require(path, what)
    with _report_text_errors(path, columns):
        table = pd.read_csv(
            path, sep=_separator(path), dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig"
        )
    short = table.isna().any(axis=1)
    if short.any():
        line = int(short.to_numpy().argmax()) + 2
        raise UserError(f"{path}, line {line} has fewer columns than the header: fix that line (NA where missing)")
    table.columns = [str(name).strip().lstrip("#") for name in table.columns]
    lower = {name: name.lower() for name in table.columns if name.lower() in {"fid", "iid", *columns}}
    require_distinct(path, [*lower])
    table = table.rename(columns=lower)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        # names with digits are left out, because without a header they may be the values of a sample
        names = [name for name in table.columns if not any(letter.isdigit() for letter in name)][:8]
        seen = f"has {', '.join(names)}" if names else "has no column name. Is the first line a sample?"
        raise UserError(f"{path} has no column {', '.join(missing)}: the header {seen}")
    for name in table.columns.difference([*TEXT, *text]):
        table[name] = _numeric(table[name])
    for name in table.columns.intersection(["fid", "iid"]):
        table[name] = table[name].str.strip()
    return table


def require_distinct(path: PathLike, names: Sequence[str]) -> None:
    """Raise UserError if two column names differ only in case."""
    lower = [name.lower() for name in names]
    duplicates = [name for name in names if lower.count(name.lower()) > 1]
    if duplicates:
        raise UserError(
            f"{path} has the columns {', '.join(duplicates)}, which differ only in case: rename or drop all but one"
        )


def read_header(path: PathLike, what: str = "table") -> list[str]:
    """Return the column names of a text table, including duplicates, without a leading `#`.

    Raises UserError if the file is missing or empty.
    """
    path = require(path, what)
    with _report_text_errors(path, ()):
        line, separator = _first_line(path), _separator(path)
    names = line.split() if len(separator) > 1 else next(csv.reader([line], delimiter=separator))
    return [name.strip().strip('"').lstrip("#") for name in names]


def read_blocks(path: PathLike, names: Sequence[str], key: int, columns: Sequence[int], rows: int) -> Iterator[tuple]:
    """Yield blocks of `rows` rows of a text table, as (lines, keys, values); for tables too wide to hold as text.

    `names` is the header; `key` and `columns` are positions in it. `lines` are line numbers in the file; `keys` are
    the strings of the column `key`, object (rows,); `values` is a DataFrame (rows, columns) named by position. A column
    of it is numeric if all its values are numbers (`MISSING_VALUES` are NaN). Blank lines, and lines with only
    separators, are skipped. Raises UserError if a row has fewer or more fields than the header.
    """
    path = Path(path)
    with _report_text_errors(path, ()):
        separator = _separator(path)
        for lines, texts in _rows(path, rows, separator):
            _require_fields(path, lines, texts, separator, len(names))
            part = pd.read_csv(
                io.BytesIO(b"".join(texts)), sep=separator, header=None, names=range(len(names)), index_col=False,
                usecols=sorted({key, *columns}), dtype={key: str}, na_values=MISSING_VALUES, keep_default_na=False,
                engine="c", low_memory=False,
            )  # fmt: skip
            yield lines, part[key].fillna("").str.strip().to_numpy(dtype=object), part[[*columns]]


def _rows(path: Path, rows: int, separator: str) -> Iterator[tuple[list[int], list[bytes]]]:
    """Yield the numbers and the text of the lines below the header that are not blank, `rows` at a time."""
    blank_characters = b" \t\r\n" + (b"," if separator == "," else b"")
    with unpacked(path) as file:
        numbered = ((number, line) for number, line in enumerate(file, 1) if line.strip(blank_characters))
        next(numbered)
        while block := list(islice(numbered, rows)):
            lines, texts = zip(*block, strict=True)
            yield [*lines], [*texts]


def _require_fields(path: Path, lines: Sequence[int], texts: Sequence[bytes], separator: str, fields: int) -> None:
    """Raise UserError if a row has more or fewer fields than the header; pandas would pad or truncate it."""
    for line, text in zip(lines, texts, strict=True):
        if b'"' in text:
            n_fields = len(
                next(csv.reader([text.decode("utf-8")], delimiter=separator if len(separator) == 1 else " "))
            )
        else:
            n_fields = len(text.split()) if len(separator) > 1 else text.count(separator.encode()) + 1
        if n_fields != fields:
            raise UserError(
                f"{path}, line {line} has {'fewer' if n_fields < fields else 'more'} columns than the header: fix that "
                "line (NA where missing)"
            )


def read_column(path: PathLike, names: Sequence[str], key: int) -> np.ndarray:
    """Return the strings of one column of a text table, object (rows,), for the rows of `read_blocks`.

    `names` is the header, `key` a position in it. Raises UserError as `read_blocks` does.
    """
    blocks = read_blocks(path, names, key, [], max(1, FIELDS // len(names)))
    return np.concatenate([np.empty(0, object), *(keys for _, keys, _ in blocks)])


@contextmanager
def _report_text_errors(path: Path, columns: Sequence[str]) -> Iterator[None]:
    """Raise UserError if pandas cannot read the text table inside the block."""
    try:
        yield
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as plain UTF-8") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty: a header line with {', '.join(columns) or 'IID'} is expected") from None
    except pd.errors.ParserError as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not a regular table ({reason}): fix that line") from None


def _first_line(path: Path) -> str:
    """Return the first line that is not blank."""
    # With a separator that never occurs, pandas reads the line as one column.
    line = pd.read_csv(path, sep="\1", header=None, nrows=1, dtype=str, keep_default_na=False, encoding="utf-8-sig",
                       quoting=csv.QUOTE_NONE)  # fmt: skip
    return line.iat[0, 0]


def _separator(path: Path) -> str:
    """Return the separator: a tab if the header has one, a comma for a .csv or without spaces, else white space."""
    header = _first_line(path)
    if "\t" in header:
        return "\t"
    commas = "," in header and (".csv" in path.suffixes or len(header.split()) == 1)
    return "," if commas else r"\s+"


def _numeric(column: pd.Series) -> pd.Series:
    """Return numbers if every value is a number or missing (`MISSING_VALUES`), else the strings unchanged."""
    values = column.str.strip()
    blank = values.isin(MISSING_VALUES)
    # pandas.to_numeric crashes on hashes such as 1e99999999999 and converts 007 to 7
    if not bool((values.str.fullmatch(NUMBER) | blank).all()):
        return column
    is_integer = not bool(blank.any()) and bool(values.str.fullmatch(r"[+-]?\d{1,18}").all())
    return values.astype("int64") if is_integer else values.mask(blank).astype(float)
