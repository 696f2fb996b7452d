"""Every k-th variant of the genotypes as a matrix of people and variants."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.genotypes.pruned import person_rows
from contigwas.genotypes.reader import open_genotypes
from contigwas.modality import MISSING, write_modality
from contigwas.samples.cohort import read_cohort

log = logging.getLogger(__name__)

COLUMNS = ["chrom", "pos", "id", "effect_allele", "other_allele", "af", "kept", "index"]


def write_snps(
    pattern: PathLike, variants: Mapping[str, PathLike], cohort: PathLike, stride: int, output: PathLike
) -> None:
    """Write the SNP modality: int8 (people, SNPs) dosages of the effect allele, -127 where not called.

    `variants` maps each chromosome to its table of quality control. The grid is every `stride`-th row of each file,
    by its place in the file, so that a change of the thresholds moves no SNP into it; then the variants that were
    kept. The people are those of the cohort who are not excluded, in the cohort's order. Nothing is imputed or scaled.
    Raises UserError when no SNP is left on the grid, or a person of the cohort is not in the genotypes.
    """
    people = read_cohort(cohort)
    iids = people.loc[people["excluded"] == "", "iid"].to_numpy(dtype=str)
    tables = [_on_grid(path, stride) for path in variants.values()]
    grid = pd.concat([table[table["kept"]] for table in tables], ignore_index=True)
    candidates, chromosomes = sum(map(len, tables)), len(tables)
    log.info("%d SNPs on the grid of every %d-th variant, %d of them kept by quality control, %d people",
             candidates, stride, len(grid), len(iids))  # fmt: skip
    if not len(grid):
        raise UserError(
            f"none of the {candidates} variants on the grid of every {stride}-th is left after quality control "
            f"(chromosomes {', '.join(variants)}): lower snps.stride or relax genotypes.qc"
        )
    # Row by row in memory is how the file is written: another order would be copied whole on the way.
    values = np.full((len(iids), len(grid)), MISSING, dtype=np.int8)
    for chrom in variants:
        columns = np.flatnonzero((grid["chrom"] == chrom).to_numpy())
        if not columns.size:
            continue
        bed, start = open_genotypes(pattern, chrom), 0
        for part, block in bed.blocks(grid["index"].to_numpy()[columns], person_rows(bed, iids), size=256):
            values[:, columns[start : start + part.size]] = block
            start += part.size
    provenance = {
        "stage": "snps", "genotypes": str(pattern), "stride": stride, "chromosomes": chromosomes,
        "variants_on_grid": candidates, "variants": len(grid), "people_in_cohort": len(people), "people": len(iids),
    }  # fmt: skip
    features = grid[["chrom", "pos", "effect_allele", "other_allele", "af"]].set_axis(_names(grid), axis=0)
    write_modality(output, values, pd.Index(iids), features, provenance)


def _on_grid(path: PathLike, stride: int) -> pd.DataFrame:
    """Every `stride`-th variant of a file, kept or not."""
    table = pd.read_parquet(require(path, "the variants' quality control"), columns=COLUMNS)
    return table[table["index"] % stride == 0]


def _names(grid: pd.DataFrame) -> pd.Index:
    """The variants' ids; `chrom:pos:other:effect` for those without one and for those that share one."""
    repeated = grid["id"].duplicated(keep=False) | (grid["id"] == ".")
    place = grid["chrom"] + ":" + grid["pos"].astype(str) + ":" + grid["other_allele"] + ":" + grid["effect_allele"]
    return pd.Index(grid["id"].where(~repeated, place), name=None)
