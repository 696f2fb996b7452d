"""Typed columns of a text table, with one error message for malformed values."""

import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from contigwas.pgs.rows import Names
from contigwas.runtime.errors import UserError
from contigwas.tables.text import unpacked

BLANK = ["", "NA", "NaN", "nan", "None", "."]
MANY_COLUMNS = 20  # above this number, parsing with several threads is faster


class Columns:
    """Text and number columns of a tab-separated table, in file order."""

    def __init__(
        self,
        path: Path,
        header: Sequence[str],
        lines: int,
        texts: Sequence[str],
        numbers: Sequence[str],
        body: bytes | None = None,
    ) -> None:
        """Read the columns `texts` and `numbers` that are in `header`, after skipping the first `lines` lines.

        `body` is the content of the table, if it is not to be read from the file.

        Raises UserError when the file is truncated or not tab-separated.
        """
        self.path, self._header, self._body = path, list(header), body
        types = dict.fromkeys(texts, pa.string()) | dict.fromkeys(numbers, pa.float64())
        self._table = self._read(lines, {name: type_ for name, type_ in types.items() if name in self._header})

    def __contains__(self, name: str) -> bool:
        return name in self._table.column_names

    def __len__(self) -> int:
        return self._table.num_rows

    def _read(self, lines: int, types: dict[str, pa.DataType]) -> pa.Table:
        try:
            with unpacked(self.path) if self._body is None else BytesIO(self._body) as handle:
                return pyarrow.csv.read_csv(
                    handle,
                    read_options=pyarrow.csv.ReadOptions(
                        skip_rows=lines, column_names=self._header, use_threads=len(types) > MANY_COLUMNS
                    ),
                    parse_options=pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
                    convert_options=pyarrow.csv.ConvertOptions(
                        column_types=types, include_columns=list(types), null_values=BLANK, strings_can_be_null=True
                    ),
                )
        except pa.ArrowInvalid as error:
            if "CSV conversion error" in str(error) and pa.float64() in types.values():
                # the column with malformed numbers is reported when it is used
                return self._read(lines, dict.fromkeys(types, pa.string()))
            if "Empty CSV file" in str(error):
                return pa.table({name: pa.chunked_array([], type_) for name, type_ in types.items()})
            reason = str(error).splitlines()[0][:200]
            raise UserError(f"{self.path} is not a tab-separated table ({reason}). Download it again.") from None
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{self.path} is not a tab-separated table ({error}). Download it again.") from None

    def text(self, name: str) -> pa.Array:
        """Return a column as strings; null where it is blank, and for a missing column."""
        if name not in self:
            return pa.nulls(len(self), pa.string())
        return self._table[name].combine_chunks()

    def names(self, name: str, upper: bool = False) -> Names:
        """Return a column of trimmed strings as codes, in upper case if `upper`."""
        if name not in self:
            return Names.unknown(len(self))
        column = pa.compute.dictionary_encode(self.text(name))
        texts = [text.strip().upper() if upper else text.strip() for text in column.dictionary.to_pylist()]
        texts = ["" if text in BLANK else text for text in texts]
        codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Names.of(codes, texts)

    def flags(self, name: str) -> np.ndarray:
        """Return where a column is true, t, 1 or yes: bool (rows,)."""
        column = self.names(name)
        is_true = np.array([text.lower() in ("true", "t", "1", "yes") for text in column.values], bool)
        return is_true[column.codes]

    def numbers(self, name: str) -> np.ndarray:
        """Return a column of numbers: float64 (rows,), NaN where it is blank, and for a missing column.

        Raises UserError when a value is not a finite number.
        """
        if name not in self:
            return np.full(len(self), np.nan)
        column = self._table[name].combine_chunks()
        if column.type != pa.string():
            values = column.to_numpy(zero_copy_only=False)
            infinite = np.isinf(values)
            if not infinite.any():
                return values
            self._raise_malformed(name, infinite, column.cast(pa.string()))
        text = pa.compute.utf8_trim_whitespace(column).to_pandas().fillna("")
        values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
        wrong = (~np.isfinite(values)) & ~text.isin(BLANK).to_numpy()
        if wrong.any():
            self._raise_malformed(name, wrong, column)
        return values

    def _raise_malformed(self, name: str, wrong: np.ndarray, text: pa.Array) -> None:
        """Raise UserError for the malformed values `wrong` (bool) of a column."""
        first = int(wrong.argmax())
        raise UserError(
            f"{self.path}, row {first + 1} below the header: {name} is not a number ({text[first].as_py()[:40]!r}; "
            f"{wrong.sum()} such values in total). Fix the file."
        )
