"""Points of a Manhattan plot, read and thinned by row group, so that memory is bounded."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from contigwas.loci.gwas_file import read_groups
from contigwas.plots.genome import Genome, thin
from contigwas.plots.style import HeightScale
from contigwas.runtime.atomic_files import PathLike

log = logging.getLogger(__name__)
DEFAULT_TOP = 300.0  # -log10 p of infinite values on a chromosome without finite values


@dataclass(frozen=True)
class Extent:
    """First and last position (base pairs), largest -log10 p, and number of variants with a p-value."""

    first: int
    last: int
    top: float
    count: int

    @property
    def ends(self) -> np.ndarray:
        """First and last position; empty if no variant was tested."""
        return np.array([self.first, self.last] if self.count else [], dtype=np.int64)


def extent(path: PathLike, test: str) -> Extent:
    """Return the extent of the variants with a p-value of `test`; infinite values count as the largest finite one."""
    first, last, top, count, infinite = np.iinfo(np.int64).max, 0, -np.inf, 0, 0
    for _, pos, y in _groups(path, test):
        if len(pos):
            first, last = min(first, int(pos.min())), max(last, int(pos.max()))
            finite = y[np.isfinite(y)]
            top = max(top, float(finite.max(initial=-np.inf)))
            count, infinite = count + len(y), infinite + len(y) - len(finite)
    if infinite:
        log.warning("%s: %d variants have an infinite -log10 p and are drawn at the largest finite one", path, infinite)
    return Extent(first, last, top if np.isfinite(top) else DEFAULT_TOP if infinite else 0.0, count)


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
    """Return the points of a chromosome: place on the axis, -log10 p, and whether it reaches `threshold` (a hit).

    Infinite values are drawn at `top`, the largest finite -log10 p of the chromosome. All hits are kept, and of the
    other points the highest (first, if equal) in each of the `cells` (columns, rows of the axes). The result does not
    depend on the sizes of row groups.
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
    """Return the rows of the points in the file, int64 (points,), followed by the result of `points`."""
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
    """Yield rows, positions and -log10 p (float64) of the variants with a p-value, by row group."""
    column, first = f"log10p_{test}", 0
    for table in read_groups(path, ["pos", column]):
        y = table[column].to_numpy(dtype=np.float64)
        tested = np.flatnonzero(~np.isnan(y))
        yield tested + first, table["pos"].to_numpy()[tested], y[tested]
        first += len(table)
