"""LD pruning as in plink2 --indep-pairwise."""

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
    """Write the rows of `variants` that passed QC and remain after LD pruning at r² `settings["r2"]`.

    If `settings["long_range_ld"]` is `drop`, variants in regions of long-range LD of `settings["build"]` are removed
    first, because such regions dominate principal components.

    The window of `settings["window"]` variants moves by `settings["step"]`. Of a pair above the limit, the variant with
    the lower minor-allele frequency is removed. r² is the squared correlation of the hard calls of the `samples` that
    passed QC, with missing calls set to the variant's mean. Raises UserError for malformed genotypes.
    """
    genotypes = open_genotypes(genotype_files, chrom)
    rows = sample_rows(genotypes, read_passing_iids(samples))
    table = pd.read_parquet(require(variants, "the variants' quality control"))
    table = table[table["kept"]].reset_index(drop=True)
    n_passed = len(table)
    if settings["long_range_ld"] == "drop":
        table = table[~in_long_range_ld(chrom, table["pos"], settings["build"])].reset_index(drop=True)
    window, step = int(settings["window"]), int(settings["step"])
    remaining = np.zeros(len(table), bool)
    # The remaining variants of the window: positions in `table`, unit columns, minor-allele frequencies.
    window_rows, columns, frequencies = np.empty(0, np.int64), np.empty((len(rows), 0), np.float32), np.empty(0)
    start = 0
    for _, block in genotypes.blocks(table["index"].to_numpy(), rows, min(step, window)):
        end = start + block.shape[1]
        in_window = window_rows >= end - window
        unit, frequency = _unit_columns(block)
        columns = np.hstack([columns[:, in_window], unit])
        frequencies = np.concatenate([frequencies[in_window], frequency])
        window_rows = np.concatenate([window_rows[in_window], np.arange(start, end)])
        remains = _prune_window(columns, frequencies, int(in_window.sum()), settings["r2"])
        remaining[window_rows] = remains
        window_rows, columns, frequencies = window_rows[remains], columns[:, remains], frequencies[remains]
        start = end
    log.info("chromosome %s: %d of %d variants remain after LD pruning; %d were in regions of long-range LD", chrom,
             remaining.sum(), n_passed, n_passed - len(table))  # fmt: skip
    write_parquet(table[remaining], output)


def _unit_columns(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return centred dosages scaled to unit length (float32; 0 if constant or missing) and minor-allele frequencies."""
    called = block >= 0
    values = np.where(called, block, 0).astype(np.float32)
    means = values.sum(axis=0, dtype=np.float64) / np.maximum(called.sum(axis=0), 1)
    values = np.where(called, values - means.astype(np.float32), np.float32(0))
    lengths = np.sqrt(np.einsum("ij,ij->j", values, values))
    values /= np.where(lengths > 0, lengths, 1)
    return values, np.minimum(means / 2, 1 - means / 2)


def _prune_window(columns: np.ndarray, frequencies: np.ndarray, old: int, r2: float) -> np.ndarray:
    """Return which variants of a window remain: bool. The first `old` are already pruned among themselves."""
    high = np.zeros((columns.shape[1],) * 2, bool)
    high[:, old:] = (columns.T @ columns[:, old:]) ** 2 > r2
    remains = np.ones(columns.shape[1], bool)
    for variant in range(remains.size):
        if not remains[variant]:
            continue
        others = variant + 1 + np.flatnonzero(high[variant, variant + 1 :] & remains[variant + 1 :])
        more_frequent = np.flatnonzero(frequencies[others] > frequencies[variant])
        if more_frequent.size:
            remains[variant] = False
            others = others[: more_frequent[0]]
        remains[others] = False
    return remains
