"""Covariates, such as age, sex and smoking, as a modality of the contrastive model."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.anndata_io import write_modality
from contigwas.tables.covariates import UNKNOWN, levels_of, read_covariates

log = logging.getLogger(__name__)
KEY = "covariates.columns"


def write_covariates(
    names: Sequence[str], covariates: PathLike | None, pcs: PathLike | None, cohort: PathLike, output: PathLike
) -> None:
    """Write the modality `covariates`: float32 (samples, columns), NaN where missing; nothing is imputed or scaled.

    The samples are those of the cohort that are not excluded, in its order. `names` are looked up as for a GWAS: in the
    table `covariates`, in the genetic PCs `pcs`, and `sex` also in the cohort. A number is one column; a text, and
    `factor(name)`, one indicator per level, `name=level`. No level is left out: linear dependence does no harm here,
    and every level should have the same distance to the others. `.var` has the columns `covariate`, the name, and
    `known`, the number of samples with a value. Raises UserError if a name does not exist, if a text has too many
    levels, or if no sample has any covariate.
    """
    all_samples = read_cohort(cohort)
    samples = included(all_samples)
    table = read_covariates(names, covariates, pcs, samples, KEY)
    observed = table.notna() & ~table.isin(UNKNOWN)
    n_without = int((~observed.any(axis=1)).sum())
    if n_without == len(table):
        raise UserError(
            f"{covariates} ({KEY}): none of the {len(table)} samples of the cohort has a value. Complete the table or "
            "name other columns"
        )
    parts = {name: _columns(table[name].where(observed[name]), covariates) for name in table.columns}
    values = pd.concat(parts.values(), axis=1).astype(np.float32)
    features = pd.DataFrame(
        {"covariate": [name for name, part in parts.items() for _ in part], "known": values.notna().sum().to_numpy()},
        index=values.columns,
    )
    missing_counts = ", ".join(f"{name} {count}" for name, count in (~observed).sum().items() if count)
    log.info("%d columns of %d covariates for %d samples, %d of them without any value; missing values: %s",
             len(features), len(table.columns), len(table), n_without, missing_counts or "none")  # fmt: skip
    provenance = {
        "stage": "covariates", "table": str(covariates), "columns": [*names], "features": len(features),
        "samples_in_cohort": len(all_samples), "n_samples": len(table), "samples_with_none": n_without,
    }  # fmt: skip
    write_modality(output, values.to_numpy(), table.index, features, provenance)


def _columns(values: pd.Series, where: PathLike | None) -> pd.DataFrame:
    """Return a covariate as numeric columns: itself, or an indicator per level, NaN where the value is missing."""
    if pd.api.types.is_numeric_dtype(values):
        return values.to_frame()
    texts = values.dropna().map(_text)
    levels = levels_of(texts, values.name, where, KEY)
    indicators = {f"{values.name}={level}": (texts == level).astype(float) for level in levels}
    return pd.DataFrame(indicators, index=texts.index).reindex(values.index)


def _text(value: object) -> str:
    """Return the name of a level; integer codes that pandas read as float are written as integers."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
