"""Chromosomes side by side on one axis, and the thinning of points that nobody could tell apart."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

GAP = 0.006  # between chromosomes, as a share of all their lengths
LEAST = 0.004  # the least width of a chromosome, likewise


@dataclass(frozen=True)
class Genome:
    """Where each chromosome lies on the axis: its first position and its extent (base pairs), and its left edge."""

    first: dict[str, float]
    extent: dict[str, float]
    left: dict[str, float]

    @classmethod
    def of(cls, positions: Mapping[str, np.ndarray]) -> "Genome":
        """From the positions (base pairs) of each chromosome, in the order of the axis; the empty ones get no room."""
        spans = {name: (float(pos.min()), float(pos.max())) for name, pos in positions.items() if len(pos)}
        total = sum(last - first for first, last in spans.values()) or 1.0
        extent = {name: max(last - first, LEAST * total) for name, (first, last) in spans.items()}
        gaps = GAP * total * np.arange(len(spans))
        left = np.concatenate([[0.0], np.cumsum(list(extent.values()))[:-1]]) + gaps if spans else []
        return cls(
            {name: first for name, (first, _) in spans.items()}, extent, dict(zip(spans, map(float, left), strict=True))
        )

    @property
    def chromosomes(self) -> list[str]:
        """Those that have room on the axis."""
        return list(self.left)

    @property
    def width(self) -> float:
        """The length of the axis."""
        return max((self.left[name] + self.extent[name] for name in self.left), default=1.0)

    def place(self, chrom: str, pos: np.ndarray) -> np.ndarray:
        """Positions on a chromosome (base pairs) to places on the axis."""
        return np.asarray(pos, dtype=float) - self.first[chrom] + self.left[chrom]

    def middle(self, chrom: str) -> float:
        """Where the name of a chromosome belongs."""
        return self.left[chrom] + self.extent[chrom] / 2


def thin(x: np.ndarray, y: np.ndarray, keep: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Positions of the points to draw, ascending: the highest of each cell, and every one of `keep`.

    `x` and `y` (points,) run from 0 to 1 over the axes, which `cells` divides into (columns, rows): at most
    columns x rows + keep.sum() points are left, however many there were.
    """
    column = np.clip((x * cells[0]).astype(np.int64), 0, cells[0] - 1)
    row = np.clip((y * cells[1]).astype(np.int64), 0, cells[1] - 1)
    high_first = np.argsort(-y, kind="stable")
    _, first = np.unique((column * cells[1] + row)[high_first], return_index=True)
    drawn = keep.copy()
    drawn[high_first[first]] = True
    return np.flatnonzero(drawn)
