"""The rows of a scoring file as arrays. Text is stored as integer codes, so that millions of rows compare fast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Names:
    """A text column: int32 codes (rows,), which are positions in the distinct texts `values`."""

    codes: np.ndarray
    values: list[str]

    @classmethod
    def of(cls, codes: np.ndarray, texts: Sequence[str]) -> "Names":
        """Build from codes of `texts`, which may contain duplicates. Code -1 is the empty text."""
        positions: dict[str, int] = {}
        new_codes = np.array([positions.setdefault(text, len(positions)) for text in [*texts, ""]], np.int32)
        return cls(new_codes[codes], list(positions))

    @classmethod
    def unknown(cls, rows: int) -> "Names":
        """Build a column with the empty text in every row."""
        return cls(np.zeros(rows, np.int32), [""])

    def tolist(self) -> list[str]:
        """Return the text of every row."""
        return [self.values[code] for code in self.codes]

    def is_empty(self) -> np.ndarray:
        """Return where the text is empty: bool (rows,)."""
        return np.array([not value for value in self.values], bool)[self.codes]

    def filled(self, other: "Names") -> "Names":
        """Return the column with empty texts replaced by those of `other`."""
        codes = np.where(self.is_empty(), other.codes + len(self.values), self.codes)
        return Names.of(codes, [*self.values, *other.values])

    def where(self, rows: np.ndarray) -> "Names":
        """Return the column with texts outside `rows` (bool) replaced by the empty text."""
        return Names.of(np.where(rows, self.codes, -1), self.values)


@dataclass(frozen=True)
class Rows:
    """Positions, IDs and alleles of the rows of a score.

    Attributes:
        chrom: plain names, empty if unknown.
        pos: int64, -1 if unknown.
        rsid: pyarrow strings, null or empty if unknown.
        effect, other: upper-case alleles, empty if unknown.
    """

    chrom: Names
    pos: np.ndarray
    rsid: pa.Array
    effect: Names
    other: Names

    def __len__(self) -> int:
        return self.pos.size

    def __post_init__(self) -> None:
        sizes = {
            self.pos.size,
            len(self.rsid),
            *(column.codes.size for column in (self.chrom, self.effect, self.other)),
        }
        if len(sizes) > 1:
            raise ValueError(f"columns of different lengths: {sorted(sizes)}")
