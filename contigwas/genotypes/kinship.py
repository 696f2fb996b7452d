"""Kinship coefficients by KING-robust (Manichaikul et al. 2010, doi:10.1093/bioinformatics/btq559)."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.stats import norm

from contigwas.errors import UserError
from contigwas.files import PathLike, write_parquet
from contigwas.genotypes.pruned import Pruned
from contigwas.genotypes.qc import kept_people

log = logging.getLogger(__name__)

STRIP = 1024  # people compared with everyone in one pass over the genotypes
STAGE = 12  # separates this stage's random numbers from the others'
SAMPLED, STRETCHES = 1000, 30  # pairs and stretches of the genome from which the level of chance is estimated
DEGREES = {"duplicates or identical twins": 0.354, "first degree": 0.177, "second degree": 0.0884, "further": -np.inf}


def kinship(
    pattern: PathLike,
    chromosomes: Sequence[object],
    pruned: Sequence[PathLike],
    people: PathLike,
    min_kinship: float,
    output: PathLike,
) -> None:
    """Write the pairs of kept people with a kinship above `min_kinship`: `iid1 iid2 kinship`, in the people's order.

    KING-robust, between-family form: 1/2 - Σ(g_i - g_j)² / (4 min(het_i, het_j)) over the variants called in both.
    It needs no allele frequencies, so ancestry does not look like kinship. On a genome so small that unrelated people
    reach `min_kinship` by chance, only pairs above the chance level are written, with a warning: false relatives
    would chain a cohort into one family. Memory is O(people x 1024), time O(people² x variants). Raises UserError
    when no variant was left by pruning.
    """
    stream = Pruned(pattern, chromosomes, pruned, kept_people(people))
    if not stream.variants:
        raise UserError("no variant is left after pruning, so relatives cannot be found: relax genotypes.qc or prune")
    chance = chance_level(stream)
    if chance > min_kinship:
        log.warning("%d variants left after pruning are too few to tell a kinship of %g from chance among %d people: "
                    "only pairs above %.3f count as relatives", stream.variants, min_kinship, len(stream.iids),
                    chance)  # fmt: skip
        min_kinship = chance
    table = pairs_above(stream, min_kinship)
    left = table["kinship"]
    for name, limit in DEGREES.items():
        if (left > limit).any():
            log.info("pairs of relatives, %s: %d", name, (left > limit).sum())
        left = left[left <= limit]
    log.info("%d pairs with a kinship above %g among %d people, from %d variants", len(table), min_kinship,
             len(stream.iids), stream.variants)  # fmt: skip
    write_parquet(table, output)


def pairs_above(stream: Pruned, min_kinship: float) -> pd.DataFrame:
    """All pairs of the stream's people with a kinship above `min_kinship`: `iid1 iid2 kinship`."""
    found = [_strip(stream, start, min_kinship) for start in range(0, len(stream.iids), STRIP)]
    one, other, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return pd.DataFrame({"iid1": stream.iids[one], "iid2": stream.iids[other], "kinship": values})


def chance_level(stream: Pruned) -> float:
    """The kinship that about one pair of unrelated people among all pairs exceeds by chance.

    The sampling error of a pair's kinship is its block jackknife over stretches of the genome, so that linkage counts;
    the median of randomly drawn pairs is taken, which neither relatives nor ancestry move much.
    """
    people = len(stream.iids)
    if people < 2:
        return 0.0
    drawn = np.random.default_rng(STAGE).integers(0, people, (SAMPLED, 2))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    chosen, places = np.unique(drawn, return_inverse=True)
    one, other = places.reshape(drawn.shape).T
    sums = []
    for block in stream.blocks(max(1, stream.variants // STRETCHES), chosen):
        first, second = block[one], block[other]
        both = (first >= 0) & (second >= 0)
        distance = np.where(both, (first.astype(np.int16) - second) ** 2, 0).sum(axis=1)
        sums.append((distance, ((first == 1) & both).sum(axis=1), ((second == 1) & both).sum(axis=1)))
    parts = np.array(sums, dtype=np.float64)
    distance, het_one, het_other = np.moveaxis(parts.sum(axis=0) - parts, 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = 0.5 - distance / (4 * np.minimum(het_one, het_other))
        errors = np.sqrt((len(parts) - 1) * left_out.var(axis=0))
    errors = errors[np.isfinite(errors)]
    return float(norm.isf(min(0.5, 2 / (people * (people - 1)))) * np.median(errors)) if errors.size else np.inf


def _strip(stream: Pruned, start: int, min_kinship: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of a person in [start, start + STRIP) and a later one: positions (two int64 arrays), kinship (float64)."""
    people = np.arange(start, len(stream.iids))
    mine = min(STRIP, people.size)
    distance = np.zeros((mine, people.size), np.float32)
    absent_mine, absent_theirs = np.zeros_like(distance), np.zeros_like(distance)
    squares, hets = np.zeros(people.size, np.float32), np.zeros(people.size, np.float32)
    # Whole numbers below 2²⁴ are exact in float32: the sums are, up to four million variants.
    for block in stream.blocks(people=people):
        called = block >= 0
        # Centred at one heterozygote; 0 where not called, so that only a correction is left for missing calls.
        values = np.where(called, block - np.int8(1), np.int8(0)).astype(np.float32)
        homozygous = values * values
        hets += np.count_nonzero(block == 1, axis=1)
        squares += homozygous.sum(axis=1)
        distance -= (2 * values[:mine]) @ values.T
        if not called.all():
            _leave_out_missing(distance, absent_mine, absent_theirs, ~called, homozygous, block == 1, mine)
    distance += squares[:mine, None]
    distance += squares
    least = np.minimum(hets[:mine, None] - absent_mine, hets - absent_theirs)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = 0.5 - distance / (4.0 * least)
    one, other = np.nonzero((values > min_kinship) & (least > 0))
    later = other > one
    one, other = one[later], other[later]
    return one + start, other + start, values[one, other]


def _leave_out_missing(
    distance: np.ndarray,
    absent_mine: np.ndarray,
    absent_theirs: np.ndarray,
    missing: np.ndarray,
    homozygous: np.ndarray,
    het: np.ndarray,
    mine: int,
) -> None:
    """Correct the sums, in place, for the variants that one of a pair misses.

    There (g - 1)² of the other one counts towards the distance, and a heterozygote of the other one towards its
    total, although the pair does not share the variant. Missing calls are few, so they are a sparse matrix.
    """
    gaps = csr_array(missing.astype(np.float32))
    gaps_mine = gaps[:mine]
    distance -= (gaps @ homozygous[:mine].T).T
    distance -= gaps_mine @ homozygous.T
    carriers = het.astype(np.float32)
    absent_mine += (gaps @ carriers[:mine].T).T
    absent_theirs += gaps_mine @ carriers.T
