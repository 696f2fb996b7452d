"""The rows of a scoring file as arrays: names in codes, so that millions of rows are compared as whole numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Names:
    """A column of text: int32 codes (rows,), positions in `values`; `values` holds each text once."""

    codes: np.ndarray
    values: list[str]

    @classmethod
    def of(cls, codes: np.ndarray, texts: Sequence[str]) -> "Names":
        """From codes of `texts`, which may repeat; -1 is the empty text."""
        place: dict[str, int] = {}
        turned = np.array([place.setdefault(text, len(place)) for text in [*texts, ""]], np.int32)
        return cls(turned[codes], list(place))

    @classmethod
    def unknown(cls, rows: int) -> "Names":
        """The empty text in every row."""
        return cls(np.zeros(rows, np.int32), [""])

    def tolist(self) -> list[str]:
        """The text of every row."""
        return [self.values[code] for code in self.codes]

    def is_empty(self) -> np.ndarray:
        """Where there is no text: bool (rows,)."""
        return np.array([not value for value in self.values], bool)[self.codes]

    def filled(self, other: "Names") -> "Names":
        """The texts of `other` where this one has none."""
        codes = np.where(self.is_empty(), other.codes + len(self.values), self.codes)
        return Names.of(codes, [*self.values, *other.values])

    def where(self, rows: np.ndarray) -> "Names":
        """The text in `rows` (bool), none elsewhere."""
        return Names.of(np.where(rows, self.codes, -1), self.values)


@dataclass(frozen=True)
class Rows:
    """Where the rows of a score are, and what they count.

    chrom: plain names, empty if unknown; pos: int64, -1 if unknown; rsid: pyarrow strings, null or empty if unknown;
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
        sizes = {self.pos.size, len(self.rsid), *(one.codes.size for one in (self.chrom, self.effect, self.other))}
        if len(sizes) > 1:
            raise ValueError(f"columns of different lengths: {sorted(sizes)}")
