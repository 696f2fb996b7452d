"""The points of a Manhattan plot, read one row group at a time and thinned on the way: memory is bounded."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from contigwas.files import PathLike
from contigwas.loci.gwas_file import read_groups
from contigwas.plots.genome import Genome, thin
from contigwas.plots.style import HeightScale

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
    for pos, y in _groups(path, test):
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
    limit = scale.forward(scale.limit())
    hits: list[tuple[np.ndarray, np.ndarray]] = []
    rest = np.empty(0), np.empty(0)
    for pos, y in _groups(path, test):
        x = genome.place(chrom, pos)
        hit = y.astype(np.float32) >= np.float32(threshold)
        hits.append((x[hit], np.minimum(y[hit], top)))
        rest = np.concatenate([rest[0], x[~hit]]), np.concatenate([rest[1], y[~hit]])
        nothing = np.zeros(len(rest[0]), dtype=bool)
        kept = thin(rest[0] / genome.width, scale.forward(rest[1]) / limit, nothing, cells)
        rest = rest[0][kept], rest[1][kept]
    x, y = (np.concatenate([*(one[part] for one in hits), rest[part]]) for part in (0, 1))
    return x, y, np.arange(len(x)) < len(x) - len(rest[0])


def _groups(path: PathLike, test: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions and -log10 p (float64) of the variants of each row group that have one."""
    column = f"log10p_{test}"
    for table in read_groups(path, ["pos", column]):
        y = table[column].to_numpy(dtype=np.float64)
        known = ~np.isnan(y)
        yield table["pos"].to_numpy()[known], y[known]
