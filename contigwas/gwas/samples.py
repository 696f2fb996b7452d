"""Tested samples: phenotypes, covariates and genotypes joined by IID."""

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
    """Tested samples in the order of the genotypes.

    Attributes:
        rows: row numbers in the genotypes, int64 (samples,).
        features: float64, indexed by iid; NaN is missing.
        covariates: float64, indexed by iid, complete.
    """

    rows: np.ndarray
    features: pd.DataFrame
    covariates: pd.DataFrame


def tested_samples(genotypes: Genotypes, phenotypes: PathLike, covariates: PathLike) -> Samples:
    """Return the samples with at least one feature, every covariate and genotypes, in the order of the genotypes.

    Raises UserError if a table is not valid or there is no such sample.
    """
    features = _table(phenotypes, "the phenotypes")
    design = _table(covariates, "the covariates of the phenotypes")
    if not features.shape[1]:
        raise UserError(f"{phenotypes}: no column other than iid. Add one column per feature")
    features = features.mask(np.isinf(features))
    design = design.mask(np.isinf(design))
    genotyped = genotypes.samples["iid"]
    require_overlap(features.index, genotyped, f"the phenotypes ({phenotypes})", f"the genotypes ({genotypes.path})")
    require_overlap(features.index, design.index, f"the phenotypes ({phenotypes})", f"the covariates ({covariates})")
    with_features = features.index[features.notna().any(axis=1)]
    complete = with_features.intersection(design.index[design.notna().all(axis=1)], sort=False)
    rows = rows_of(complete, genotyped)
    tested = complete[rows >= 0][np.argsort(rows[rows >= 0])]
    log.info("%d samples have phenotypes: %d without any feature, %d without all covariates and %d without genotypes "
             "are left out, %d are tested", len(features), len(features) - len(with_features),
             len(with_features) - len(complete), int((rows < 0).sum()), len(tested))  # fmt: skip
    if not len(tested):
        raise UserError(
            f"{phenotypes}: none of the {len(features)} samples has a feature, every covariate of {covariates} and "
            f"genotypes in {genotypes.path}. See the counts in the log"
        )
    return Samples(np.sort(rows[rows >= 0]), features.loc[tested], design.loc[tested])


def _table(path: PathLike, what: str) -> pd.DataFrame:
    """Read a Parquet table of numbers, indexed by iid: float64. `what` names it in errors."""
    table = pd.read_parquet(require(path, what))
    if "iid" not in table.columns:
        raise UserError(f"{path}: no column iid. Run the stage phenotypes again")
    require_unique(table["iid"].astype(str), path)
    table = table.set_index(table.pop("iid").astype(str))
    text_columns = _text_columns(table.columns, table)
    if text_columns:
        raise UserError(f"{path}: column {text_columns[0]} is not numeric. Run the stage phenotypes again")
    return table.astype(np.float64)


def _text_columns(names: Sequence[str], table: pd.DataFrame) -> list[str]:
    """Return the names of the columns that are not numeric."""
    return [name for name in names if not pd.api.types.is_numeric_dtype(table[name])]
