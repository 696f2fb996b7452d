"""The variants that scores are matched with."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np
import pandas as pd

from contigwas.genotypes.files import describe_files
from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.pgs.matching import Targets
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import require

COLUMNS = ["chrom", "pos", "id", "effect_allele", "other_allele", "kept", "index"]
BIALLELIC_FORMAT = ".bed"  # cannot contain multiallelic records


def checked_variants(variants: Mapping[str, PathLike]) -> pd.DataFrame:
    """Read the tables of variant QC of all chromosomes, one after another."""
    tables = [
        pd.read_parquet(require(path, "the variants' quality control"), columns=COLUMNS) for path in variants.values()
    ]
    return pd.concat(tables, ignore_index=True)


def all_variants(genotype_files: GenotypeFiles, chromosomes: Sequence[object]) -> pd.DataFrame:
    """Read the variants of genotypes without QC tables; `kept` is True for all."""
    tables = []
    for chrom in chromosomes:
        table = open_genotypes(genotype_files, chrom).variants
        tables.append(table.assign(kept=True, index=np.arange(len(table), dtype=np.int32)))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def targets(variants: pd.DataFrame, genotype_files: GenotypeFiles, chromosomes: Sequence[object]) -> Targets:
    """Return `variants` as targets, with the sites of multiallelic records of the genotypes."""
    if PurePath(describe_files(genotype_files)).suffix == BIALLELIC_FORMAT:
        return Targets(variants)
    return Targets(variants, pd.concat([open_genotypes(genotype_files, chrom).multiallelic for chrom in chromosomes]))
