"""Regions of long-range linkage disequilibrium, which would dominate principal components."""

import numpy as np

from contigwas.runtime.errors import UserError

# Chromosome, first and last megabase. GRCh37: the widely used regions of Price et al. 2008
# (doi:10.1016/j.ajhg.2008.06.005). GRCh38: the same regions lifted over and rounded outwards to half a megabase.
REGIONS = {
    "GRCh37": (
        ("1", 48, 52), ("2", 86, 100.5), ("2", 134.5, 138), ("2", 183, 190), ("3", 47.5, 50), ("3", 83.5, 87),
        ("3", 89, 97.5), ("5", 44.5, 50.5), ("5", 98, 100.5), ("5", 129, 132), ("5", 135.5, 138.5), ("6", 25, 35),
        ("6", 57, 64), ("6", 140, 142.5), ("7", 55, 66), ("8", 7, 13), ("8", 43, 50), ("8", 112, 115), ("10", 37, 43),
        ("11", 46, 57), ("11", 87.5, 90.5), ("12", 33, 40), ("12", 109.5, 112), ("20", 32, 34.5),
    ),
    "GRCh38": (
        ("1", 47.5, 52), ("2", 85.5, 100.5), ("2", 133.5, 137.5), ("2", 182, 189.5), ("3", 47, 50), ("3", 83, 87),
        ("3", 88.5, 98), ("5", 44, 51.5), ("5", 98.5, 101.5), ("5", 129.5, 133), ("5", 136, 139.5), ("6", 24.5, 35.5),
        ("6", 56.5, 64), ("6", 139.5, 142.5), ("7", 54.5, 67), ("8", 6.5, 13.5), ("8", 42.5, 50), ("8", 110.5, 114.5),
        ("10", 36.5, 43), ("11", 45.5, 57.5), ("11", 87.5, 91), ("12", 32.5, 40), ("12", 109, 112), ("20", 33, 36),
    ),
}  # fmt: skip


def in_long_range_ld(chrom: object, positions: np.ndarray, build: str) -> np.ndarray:
    """Return whether variants are in a region of long-range LD: bool (variants,).

    `chrom` is a plain name, `positions` are base pairs, `build` is GRCh37 or GRCh38. Raises UserError for other builds.

    >>> in_long_range_ld(6, np.array([24_999_999, 30_000_000]), "GRCh37").tolist()
    [False, True]
    """
    if build not in REGIONS:
        raise UserError(
            f"genotypes.build: the regions of long-range LD of {build} are not known. Set GRCh37 or GRCh38."
        )
    positions = np.asarray(positions)
    inside = np.zeros(positions.shape, bool)
    for name, first, last in REGIONS[build]:
        if name == str(chrom):
            inside |= (positions >= first * 1e6) & (positions <= last * 1e6)
    return inside
