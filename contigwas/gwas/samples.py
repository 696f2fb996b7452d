"""Who is tested, with what: phenotypes, covariates and genotypes joined by IID."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import Genotypes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap, require_unique, rows_of
from contigwas.tables.text import require

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Samples:
    """The tested samples in the order of the genotypes: rows there, features (NaN is missing), covariates."""

    rows: np.ndarray
    features: pd.DataFrame
    covariates: pd.DataFrame


def tested_samples(genotypes: Genotypes, phenotypes: PathLike, covariates: PathLike) -> Samples:
    """The samples that have a feature, every covariate and a row in the genotypes, in the genotypes' order."""
    features = _table(phenotypes, "the phenotypes")
    design = _table(covariates, "the covariates of the phenotypes")
    if not features.shape[1]:
        raise UserError(f"{phenotypes} has no feature beside iid: add one column a feature")
    features = features.mask(np.isinf(features))
    design = design.mask(np.isinf(design))
    there = genotypes.samples["iid"]
    require_overlap(features.index, there, f"the phenotypes ({phenotypes})", f"the genotypes ({genotypes.path})")
    require_overlap(features.index, design.index, f"the phenotypes ({phenotypes})", f"the covariates ({covariates})")
    some = features.index[features.notna().any(axis=1)]
    complete = some.intersection(design.index[design.notna().all(axis=1)], sort=False)
    rows = rows_of(complete, there)
    tested = complete[rows >= 0][np.argsort(rows[rows >= 0])]
    log.info("%d samples have phenotypes: %d without any feature, %d without all covariates and %d without genotypes "
             "are left out, %d are tested", len(features), len(features) - len(some), len(some) - len(complete),
             int((rows < 0).sum()), len(tested))  # fmt: skip
    if not len(tested):
        raise UserError(
            f"none of the {len(features)} samples of {phenotypes} has a feature, every covariate of {covariates} and "
            f"genotypes in {genotypes.path}: see the counts in the log"
        )
    return Samples(np.sort(rows[rows >= 0]), features.loc[tested], design.loc[tested])


def _table(path: PathLike, what: str) -> pd.DataFrame:
    """A Parquet table of numbers, indexed by iid."""
    table = pd.read_parquet(require(path, what))
    if "iid" not in table.columns:
        raise UserError(f"{path} has no column iid: run the stage phenotypes again")
    require_unique(table["iid"].astype(str), path)
    table = table.set_index(table.pop("iid").astype(str))
    texts = _texts(table.columns, table)
    if texts:
        raise UserError(f"{path}: column {texts[0]} is not numeric: run the stage phenotypes again")
    return table.astype(np.float64)


def _texts(names: Sequence[str], table: pd.DataFrame) -> list[str]:
    return [name for name in names if not pd.api.types.is_numeric_dtype(table[name])]
