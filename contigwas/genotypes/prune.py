"""Pruning by linkage disequilibrium, as plink2 --indep-pairwise does it."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.genotypes.long_range_ld import in_long_range_ld
from contigwas.genotypes.pruned import sample_rows
from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.genotypes.samples import read_passing_iids
from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.tables.text import require

log = logging.getLogger(__name__)


def prune(
    genotype_files: GenotypeFiles,
    chrom: object,
    variants: PathLike,
    samples: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write the rows of `variants` that are kept and have no r² above `settings["r2"]` with another in the window.

    Where `settings["long_range_ld"]` is `drop`, the variants in regions of long-range LD of `settings["build"]` are
    left out first: their components would be haplotypes, not ancestry.

    The window of `settings["window"]` variants moves by `settings["step"]`; of a pair above the limit the variant
    with the lower minor-allele frequency goes. r² is the squared correlation of the dosages among the kept `samples`,
    a missing call being the variant's mean. Raises UserError for malformed genotypes.
    """
    bed = open_genotypes(genotype_files, chrom)
    rows = sample_rows(bed, read_passing_iids(samples))
    table = pd.read_parquet(require(variants, "the checked variants"))
    table = table[table["kept"]].reset_index(drop=True)
    kept = len(table)
    if settings["long_range_ld"] == "drop":
        table = table[~in_long_range_ld(chrom, table["pos"], settings["build"])].reset_index(drop=True)
    window, step = int(settings["window"]), int(settings["step"])
    survivors = np.zeros(len(table), bool)
    # The variants of the window that survive so far: positions in `table`, unit columns, minor-allele frequencies.
    near, columns, frequencies = np.empty(0, np.int64), np.empty((len(rows), 0), np.float32), np.empty(0)
    start = 0
    for _, block in bed.blocks(table["index"].to_numpy(), rows, min(step, window)):
        end = start + block.shape[1]
        inside = near >= end - window
        unit, frequency = _unit_columns(block)
        columns = np.hstack([columns[:, inside], unit])
        frequencies = np.concatenate([frequencies[inside], frequency])
        near = np.concatenate([near[inside], np.arange(start, end)])
        stays = _prune_window(columns, frequencies, int(inside.sum()), settings["r2"])
        survivors[near] = stays
        near, columns, frequencies = near[stays], columns[:, stays], frequencies[stays]
        start = end
    log.info("chromosome %s: %d of %d variants are left after pruning; %d are in regions of long-range LD", chrom,
             survivors.sum(), kept, kept - len(table))  # fmt: skip
    write_parquet(table[survivors], output)


def _unit_columns(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred dosages of length one (0 where constant or not called), float32, and minor-allele frequencies."""
    called = block >= 0
    values = np.where(called, block, 0).astype(np.float32)
    means = values.sum(axis=0, dtype=np.float64) / np.maximum(called.sum(axis=0), 1)
    values = np.where(called, values - means.astype(np.float32), np.float32(0))
    lengths = np.sqrt(np.einsum("ij,ij->j", values, values))
    values /= np.where(lengths > 0, lengths, 1)
    return values, np.minimum(means / 2, 1 - means / 2)


def _prune_window(columns: np.ndarray, frequencies: np.ndarray, old: int, r2: float) -> np.ndarray:
    """Which variants of a window stay: bool. The first `old` are already free of pairs among themselves."""
    high = np.zeros((columns.shape[1],) * 2, bool)
    high[:, old:] = (columns.T @ columns[:, old:]) ** 2 > r2
    stays = np.ones(columns.shape[1], bool)
    for one in range(stays.size):
        if not stays[one]:
            continue
        others = one + 1 + np.flatnonzero(high[one, one + 1 :] & stays[one + 1 :])
        better = np.flatnonzero(frequencies[others] > frequencies[one])
        if better.size:
            stays[one] = False
            others = others[: better[0]]
        stays[others] = False
    return stays
