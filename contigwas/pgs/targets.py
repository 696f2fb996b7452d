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
HARD_CALLS = ".bed"  # holds no record of several alternate alleles


def checked_variants(variants: Mapping[str, PathLike]) -> pd.DataFrame:
    """The variants of all chromosomes and whether quality control kept them: its tables, one after another."""
    tables = [
        pd.read_parquet(require(path, "the variants' quality control"), columns=COLUMNS) for path in variants.values()
    ]
    return pd.concat(tables, ignore_index=True)


def all_variants(genotype_files: GenotypeFiles, chromosomes: Sequence[object]) -> pd.DataFrame:
    """The variants of a file, or one for each chromosome, that nobody checked: all are kept so far."""
    tables = []
    for chrom in chromosomes:
        table = open_genotypes(genotype_files, chrom).variants
        tables.append(table.assign(kept=True, index=np.arange(len(table), dtype=np.int32)))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def targets(variants: pd.DataFrame, genotype_files: GenotypeFiles, chromosomes: Sequence[object]) -> Targets:
    """`variants` with the places where the genotypes hold records of several alternate alleles."""
    if PurePath(describe_files(genotype_files)).suffix == HARD_CALLS:
        return Targets(variants)
    return Targets(variants, pd.concat([open_genotypes(genotype_files, chrom).several for chrom in chromosomes]))
