"""Genome axis with the chromosomes side by side, and thinning of points that are indistinguishable in a plot."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

GAP = 0.006  # between chromosomes, relative to the total length
MIN_WIDTH = 0.004  # of a chromosome, relative to the total length


@dataclass(frozen=True)
class Genome:
    """Layout of the axis: first position and extent (base pairs), and left edge of each chromosome."""

    first: dict[str, float]
    extent: dict[str, float]
    left: dict[str, float]

    @classmethod
    def of(cls, positions: Mapping[str, np.ndarray]) -> "Genome":
        """Return the layout for positions (base pairs) by chromosome, in the order of the axis, without empty ones."""
        spans = {name: (float(pos.min()), float(pos.max())) for name, pos in positions.items() if len(pos)}
        total = sum(last - first for first, last in spans.values()) or 1.0
        extent = {name: max(last - first, MIN_WIDTH * total) for name, (first, last) in spans.items()}
        gaps = GAP * total * np.arange(len(spans))
        left = np.concatenate([[0.0], np.cumsum(list(extent.values()))[:-1]]) + gaps if spans else []
        return cls(
            {name: first for name, (first, _) in spans.items()}, extent, dict(zip(spans, map(float, left), strict=True))
        )

    @property
    def chromosomes(self) -> list[str]:
        """Chromosomes on the axis."""
        return list(self.left)

    @property
    def width(self) -> float:
        """Length of the axis."""
        return max((self.left[name] + self.extent[name] for name in self.left), default=1.0)

    def place(self, chrom: str, pos: np.ndarray) -> np.ndarray:
        """Return places on the axis of positions on a chromosome (base pairs)."""
        return np.asarray(pos, dtype=float) - self.first[chrom] + self.left[chrom]

    def middle(self, chrom: str) -> float:
        """Return the middle of a chromosome on the axis."""
        return self.left[chrom] + self.extent[chrom] / 2


def thin(x: np.ndarray, y: np.ndarray, keep: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Return ascending positions of the points to draw: the highest point of each cell, and all points in `keep`.

    `x` and `y` (points,) run from 0 to 1 over the axes; `cells` is their number of (columns, rows). At most
    columns x rows + keep.sum() points are returned.
    """
    column = np.clip((x * cells[0]).astype(np.int64), 0, cells[0] - 1)
    row = np.clip((y * cells[1]).astype(np.int64), 0, cells[1] - 1)
    high_first = np.argsort(-y, kind="stable")
    _, first = np.unique((column * cells[1] + row)[high_first], return_index=True)
    drawn = keep.copy()
    drawn[high_first[first]] = True
    return np.flatnonzero(drawn)
