"""Kinship coefficients by KING-robust (Manichaikul et al. 2010, doi:10.1093/bioinformatics/btq559)."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from contigwas.genotypes import king
from contigwas.genotypes.packed import pack
from contigwas.genotypes.pruned import Pruned
from contigwas.genotypes.reader import GenotypeFiles
from contigwas.genotypes.samples import read_passing_iids
from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)

STAGE = 12  # separates this stage's random numbers from the others'
SAMPLED, STRETCHES = 1000, 30  # pairs and stretches of the genome from which the level of chance is estimated
DEGREES = {"duplicates or identical twins": 0.354, "first degree": 0.177, "second degree": 0.0884, "further": -np.inf}


def kinship(
    genotype_files: GenotypeFiles,
    chromosomes: Sequence[object],
    pruned: Sequence[PathLike],
    samples: PathLike,
    min_kinship: float,
    output: PathLike,
) -> None:
    """Write the pairs of kept samples with a kinship above `min_kinship`: `iid1 iid2 kinship`, in the samples' order.

    KING-robust, between-family form: 1/2 - Σ(g_i - g_j)² / (4 min(het_i, het_j)) over the variants called in both.
    It needs no allele frequencies, so ancestry does not look like kinship. On a genome so small that unrelated samples
    reach `min_kinship` by chance, only pairs above the chance level are written, with a warning: false relatives
    would chain a cohort into one family. The file is read twice; memory is samples x variants / 4 bytes and a few
    hundred megabytes, time O(samples² x variants). Raises UserError when no variant was left by pruning.
    """
    stream = Pruned(genotype_files, chromosomes, pruned, read_passing_iids(samples))
    if not stream.variants:
        raise UserError("no variant is left after pruning, so relatives cannot be found: relax genotypes.qc or prune")
    chance = chance_level(stream)
    if chance > min_kinship:
        log.warning("%d variants left after pruning are too few to tell a kinship of %g from chance among %d samples: "
                    "only pairs above %.3f count as relatives", stream.variants, min_kinship, len(stream.iids),
                    chance)  # fmt: skip
        min_kinship = chance
    table = pairs_above(stream, min_kinship)
    left = table["kinship"]
    for name, limit in DEGREES.items():
        if (left > limit).any():
            log.info("pairs of relatives, %s: %d", name, (left > limit).sum())
        left = left[left <= limit]
    log.info("%d pairs with a kinship above %g among %d samples, from %d variants", len(table), min_kinship,
             len(stream.iids), stream.variants)  # fmt: skip
    write_parquet(table, output)


def pairs_above(stream: Pruned, min_kinship: float) -> pd.DataFrame:
    """All pairs of the stream's samples with a kinship above `min_kinship`: `iid1 iid2 kinship`, in their order."""
    packed = pack(stream.blocks(), len(stream.iids), stream.variants)
    one, other, values = king.pairs_above(packed, min_kinship)
    return pd.DataFrame({"iid1": stream.iids[one], "iid2": stream.iids[other], "kinship": values})


def chance_level(stream: Pruned) -> float:
    """The kinship that about one pair of unrelated samples among all pairs exceeds by chance.

    The sampling error of a pair's kinship is its block jackknife over stretches of the genome, so that linkage counts;
    the median of randomly drawn pairs is taken, which neither relatives nor ancestry move much.
    """
    samples = len(stream.iids)
    if samples < 2:
        return 0.0
    drawn = np.random.default_rng(STAGE).integers(0, samples, (SAMPLED, 2))
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
    return float(norm.isf(min(0.5, 2 / (samples * (samples - 1)))) * np.median(errors)) if errors.size else np.inf
