"""Columns of a text table, read as what they are, with one sentence for those that are something else."""

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
MANY = 20  # columns, from which on several threads are worth their start


class Columns:
    """Some columns of a tab-separated table: names, numbers and whole numbers, in the order of the file."""

    def __init__(
        self,
        path: Path,
        header: Sequence[str],
        lines: int,
        texts: Sequence[str],
        numbers: Sequence[str],
        body: bytes | None = None,
    ) -> None:
        """Read those of the columns `texts` and `numbers` that `header` names, from the rows below `lines` lines.

        `body` are the rows, where they are not to be read from the file.

        Raises UserError when the file is cut short or not tab-separated.
        """
        self.path, self._header, self._body = path, list(header), body
        kinds = dict.fromkeys(texts, pa.string()) | dict.fromkeys(numbers, pa.float64())
        self._table = self._read(lines, {name: kind for name, kind in kinds.items() if name in self._header})

    def __contains__(self, name: str) -> bool:
        return name in self._table.column_names

    def __len__(self) -> int:
        return self._table.num_rows

    def _read(self, lines: int, kinds: dict[str, pa.DataType]) -> pa.Table:
        try:
            with unpacked(self.path) if self._body is None else BytesIO(self._body) as handle:
                return pyarrow.csv.read_csv(
                    handle,
                    read_options=pyarrow.csv.ReadOptions(
                        skip_rows=lines, column_names=self._header, use_threads=len(kinds) > MANY
                    ),
                    parse_options=pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
                    convert_options=pyarrow.csv.ConvertOptions(
                        column_types=kinds, include_columns=list(kinds), null_values=BLANK, strings_can_be_null=True
                    ),
                )
        except pa.ArrowInvalid as error:
            if "CSV conversion error" in str(error) and pa.float64() in kinds.values():
                # which column is no number is reported where it is asked for
                return self._read(lines, dict.fromkeys(kinds, pa.string()))
            if "Empty CSV file" in str(error):
                return pa.table({name: pa.chunked_array([], kind) for name, kind in kinds.items()})
            reason = str(error).splitlines()[0][:200]
            raise UserError(f"{self.path} is not a tab-separated table ({reason}): download it again") from None
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{self.path} is not a tab-separated table ({error}): download it again") from None

    def text(self, name: str) -> pa.Array:
        """A column as strings; null where it is blank or not there."""
        if name not in self:
            return pa.nulls(len(self), pa.string())
        return self._table[name].combine_chunks()

    def names(self, name: str, upper: bool = False) -> Names:
        """A column as codes of trimmed texts."""
        if name not in self:
            return Names.unknown(len(self))
        column = pa.compute.dictionary_encode(self.text(name))
        texts = [one.strip().upper() if upper else one.strip() for one in column.dictionary.to_pylist()]
        texts = ["" if one in BLANK else one for one in texts]
        codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Names.of(codes, texts)

    def flags(self, name: str) -> np.ndarray:
        """Where a column says yes: bool (rows,)."""
        named = self.names(name)
        says = np.array([text.lower() in ("true", "t", "1", "yes") for text in named.values], bool)
        return says[named.codes]

    def numbers(self, name: str) -> np.ndarray:
        """A column of numbers: float64, NaN where it is blank or not there; UserError where it is something else."""
        if name not in self:
            return np.full(len(self), np.nan)
        column = self._table[name].combine_chunks()
        if column.type != pa.string():
            values = column.to_numpy(zero_copy_only=False)
            infinite = np.isinf(values)
            if not infinite.any():
                return values
            self._refuse(name, infinite, column.cast(pa.string()))
        text = pa.compute.utf8_trim_whitespace(column).to_pandas().fillna("")
        values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
        wrong = (~np.isfinite(values)) & ~text.isin(BLANK).to_numpy()
        if wrong.any():
            self._refuse(name, wrong, column)
        return values

    def _refuse(self, name: str, wrong: np.ndarray, text: pa.Array) -> None:
        first = int(wrong.argmax())
        raise UserError(
            f"{self.path}: {wrong.sum()} values of {name} are no numbers (the first, in row {first + 1} below the "
            f"header, is {text[first].as_py()[:40]!r}): fix the file"
        )
