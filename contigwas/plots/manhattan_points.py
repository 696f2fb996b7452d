"""The points of a Manhattan plot, read one row group at a time and thinned on the way: memory is bounded."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from contigwas.loci.gwas_file import read_groups
from contigwas.plots.genome import Genome, thin
from contigwas.plots.style import HeightScale
from contigwas.runtime.atomic_files import PathLike

log = logging.getLogger(__name__)
NO_FINITE = 300.0  # -log10 p at which infinite values are drawn where a chromosome has no finite one


@dataclass(frozen=True)
class Extent:
    """What a chromosome spans: first and last position (base pairs), largest -log10 p, variants with a p-value."""

    first: int
    last: int
    top: float
    count: int

    @property
    def ends(self) -> np.ndarray:
        """First and last position; empty where nothing was tested."""
        return np.array([self.first, self.last] if self.count else [], dtype=np.int64)


def extent(path: PathLike, test: str) -> Extent:
    """The extent of the variants that have a p-value of `test`; an infinite one counts as the largest finite."""
    first, last, top, count, infinite = np.iinfo(np.int64).max, 0, -np.inf, 0, 0
    for _, pos, y in _groups(path, test):
        if len(pos):
            first, last = min(first, int(pos.min())), max(last, int(pos.max()))
            finite = y[np.isfinite(y)]
            top = max(top, float(finite.max(initial=-np.inf)))
            count, infinite = count + len(y), infinite + len(y) - len(finite)
    if infinite:
        log.warning("%s: %d variants have an infinite -log10 p", path, infinite)
    return Extent(first, last, top if np.isfinite(top) else NO_FINITE if infinite else 0.0, count)


def points(
    path: PathLike,
    test: str,
    chrom: str,
    genome: Genome,
    scale: HeightScale,
    threshold: float,
    top: float,
    cells: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What to draw of a chromosome: places on the axis, -log10 p, and whether that reaches `threshold` (a hit).

    `top` is the largest finite -log10 p of the chromosome, which infinite ones are drawn at. Every hit is kept; of the
    others the highest of each of the `cells` (columns, rows of the axes), the first of those that are equal: the result
    does not depend on where row groups end.
    """
    return drawn_rows(path, test, chrom, genome, scale, threshold, top, cells)[1:]


def drawn_rows(
    path: PathLike,
    test: str,
    chrom: str,
    genome: Genome,
    scale: HeightScale,
    threshold: float,
    top: float,
    cells: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `points`, and first the rows of the file that these are: int64 (points,)."""
    limit = scale.forward(scale.limit())
    hits: list[tuple[np.ndarray, ...]] = []
    rest = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)
    for row, pos, y in _groups(path, test):
        x = genome.place(chrom, pos)
        hit = y.astype(np.float32) >= np.float32(threshold)
        hits.append((row[hit], x[hit], np.minimum(y[hit], top)))
        rest = tuple(np.concatenate([old, new[~hit]]) for old, new in zip(rest, (row, x, y), strict=True))
        nothing = np.zeros(len(rest[0]), dtype=bool)
        kept = thin(rest[1] / genome.width, scale.forward(rest[2]) / limit, nothing, cells)
        rest = tuple(one[kept] for one in rest)
    row, x, y = (np.concatenate([*(one[part] for one in hits), rest[part]]) for part in range(3))
    return row, x, y, np.arange(len(x)) < len(x) - len(rest[0])


def _groups(path: PathLike, test: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows, positions and -log10 p (float64) of the variants of each row group that have one."""
    column, first = f"log10p_{test}", 0
    for table in read_groups(path, ["pos", column]):
        y = table[column].to_numpy(dtype=np.float64)
        known = np.flatnonzero(~np.isnan(y))
        yield known + first, table["pos"].to_numpy()[known], y[known]
        first += len(table)
