"""Text tables that users supply, read with errors that name the file and the line."""

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

# columns that stay strings, whatever stands in them
TEXT = ["fid", "iid", "id", "lead_id", "family", "chrom", "best_feature"]
FIELDS = 2**24  # of a text table that are held at a time where one column is asked for
MISSING_VALUES = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>", "."]
NUMBER = r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"


def require(path: PathLike, what: str) -> Path:
    """Return `path` as a Path, or raise a UserError that says which file of the config (`what`) is missing."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: correct {what} in the config, or put the file there")
    return path


def unpacked(path: PathLike) -> BinaryIO:
    """The bytes of a file, decompressed where it is gzipped or bgzipped, whatever its name says."""
    path = Path(path)
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if zipped else path.open("rb")


def read_table(
    path: PathLike, columns: Sequence[str] = (), what: str = "table", text: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a text table with a header, separated by tabs, commas or white space.

    The columns of `TEXT`, and those of `text`, are strings, also where names are numbers; other columns are numbers
    where all of their values are.

    The names of `columns`, iid and fid are lower-cased, a leading `#` is taken off the header. Raises UserError when
    the file is missing, empty, ragged, lacks one of `columns`, or has it in upper and in lower case.
    """
    path = require(path, what)
    with _told_of_text(path, columns):
        table = pd.read_csv(
            path, sep=_separator(path), dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig"
        )
    short = table.isna().any(axis=1)
    if short.any():
        line = int(short.to_numpy().argmax()) + 2
        raise UserError(f"{path}, line {line} has fewer columns than the header: fix that line (NA where unknown)")
    table.columns = [str(name).strip().lstrip("#") for name in table.columns]
    lower = {name: name.lower() for name in table.columns if name.lower() in {"fid", "iid", *columns}}
    require_distinct(path, [*lower])
    table = table.rename(columns=lower)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        # a file without a header would show a sample's row here
        names = [name for name in table.columns if not any(letter.isdigit() for letter in name)][:8]
        seen = f"names {', '.join(names)}" if names else "names no column: is the first line a sample?"
        raise UserError(f"{path} has no column {', '.join(missing)}: its header {seen}")
    for name in table.columns.difference([*TEXT, *text]):
        table[name] = _numeric(table[name])
    for name in table.columns.intersection(["fid", "iid"]):
        table[name] = table[name].str.strip()
    return table


def require_distinct(path: PathLike, names: Sequence[str]) -> None:
    """Raise UserError where two of the names of columns differ by upper and lower case alone."""
    lower = [name.lower() for name in names]
    twice = [name for name in names if lower.count(name.lower()) > 1]
    if twice:
        raise UserError(
            f"{path} has the columns {', '.join(twice)}, which differ by upper and lower case alone: "
            "rename or drop all but one"
        )


def read_header(path: PathLike, what: str = "table") -> list[str]:
    """The names in the header of such a table as they stand there, also one that is duplicated; without a leading `#`.

    Raises UserError when the file is missing or empty.
    """
    path = require(path, what)
    with _told_of_text(path, ()):
        line, separator = _first_line(path), _separator(path)
    names = line.split() if len(separator) > 1 else next(csv.reader([line], delimiter=separator))
    return [name.strip().strip('"').lstrip("#") for name in names]


def read_blocks(path: PathLike, names: Sequence[str], key: int, columns: Sequence[int], rows: int) -> Iterator[tuple]:
    """A text table too wide to be held as text: blocks of `rows` rows as (lines, keys, values).

    `names` is its header, `key` and `columns` are places there. lines: where the rows stand in the file; keys: object
    (rows,) of texts; values: DataFrame (rows, columns) named by place, of numbers where all of a column's are
    (`MISSING_VALUES` are NaN), else of what stands there. A line of separators alone is blank, and no row. Raises
    UserError when a row has fewer or more columns than the header.
    """
    path = Path(path)
    with _told_of_text(path, ()):
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
    """The lines below the header that are not blank, `rows` at a time, with their numbers."""
    nothing = b" \t\r\n" + (b"," if separator == "," else b"")
    with unpacked(path) as file:
        numbered = ((number, line) for number, line in enumerate(file, 1) if line.strip(nothing))
        next(numbered)
        while block := list(islice(numbered, rows)):
            lines, texts = zip(*block, strict=True)
            yield [*lines], [*texts]


def _require_fields(path: Path, lines: Sequence[int], texts: Sequence[bytes], separator: str, fields: int) -> None:
    """Raise UserError where a row has not as many fields as the header: pandas would fill it up, or cut it."""
    for line, text in zip(lines, texts, strict=True):
        if b'"' in text:
            have = len(next(csv.reader([text.decode("utf-8")], delimiter=separator if len(separator) == 1 else " ")))
        else:
            have = len(text.split()) if len(separator) > 1 else text.count(separator.encode()) + 1
        if have != fields:
            raise UserError(
                f"{path}, line {line} has {'fewer' if have < fields else 'more'} columns than the header: fix that "
                "line (NA where unknown)"
            )


def read_column(path: PathLike, names: Sequence[str], key: int) -> np.ndarray:
    """The texts in one column of such a table, object (rows,), of the rows that `read_blocks` gives.

    `names` is its header, `key` a place there. Raises UserError as `read_blocks` does.
    """
    blocks = read_blocks(path, names, key, [], max(1, FIELDS // len(names)))
    return np.concatenate([np.empty(0, object), *(keys for _, keys, _ in blocks)])


@contextmanager
def _told_of_text(path: Path, columns: Sequence[str]) -> Iterator[None]:
    """Tell what is wrong with a text table that pandas does not read."""
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
    """The first line that is not blank."""
    # a separator that no text has: one column, whatever the table is
    line = pd.read_csv(path, sep="\1", header=None, nrows=1, dtype=str, keep_default_na=False, encoding="utf-8-sig",
                       quoting=csv.QUOTE_NONE)  # fmt: skip
    return line.iat[0, 0]


def _separator(path: Path) -> str:
    """A tab where the header has one; else a comma, in a .csv or a header without white space; else white space."""
    header = _first_line(path)
    if "\t" in header:
        return "\t"
    commas = "," in header and (".csv" in path.suffixes or len(header.split()) == 1)
    return "," if commas else r"\s+"


def _numeric(column: pd.Series) -> pd.Series:
    """Numbers where every value is one (`MISSING_VALUES` are missing), else the strings as they are."""
    values = column.str.strip()
    blank = values.isin(MISSING_VALUES)
    # pandas.to_numeric crashes on hashes such as 1e99999999999, and would take 007 for 7
    if not bool((values.str.fullmatch(NUMBER) | blank).all()):
        return column
    whole = not bool(blank.any()) and bool(values.str.fullmatch(r"[+-]?\d{1,18}").all())
    return values.astype("int64") if whole else values.mask(blank).astype(float)
