"""Covariates as a modality of the contrast: age, sex, smoking and the like, raw, for the samples of the cohort."""

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
    """Write the modality `covariates`: float32 (samples, columns), NaN where unknown; nothing is imputed or scaled.

    The samples are those of the cohort who are not excluded, in its order. `names` are found as those of a GWAS are: in
    the table `covariates`, among the components `pcs`, `sex` in the cohort too. A number is one column; a text, and
    `factor(name)`, one indicator a level, `name=level`. No level is left out: nothing is inverted here, so columns may
    depend on one another, and a level without its own would lie nearer to the others than these to each other. `.var`:
    `covariate`, the name, and `known`, how many samples have it. Raises UserError when a name does not exist, a text has
    too many levels, or nobody has any covariate.
    """
    everyone = read_cohort(cohort)
    samples = included(everyone)
    table = read_covariates(names, covariates, pcs, samples, KEY)
    known = table.notna() & ~table.isin(UNKNOWN)
    none = int((~known.any(axis=1)).sum())
    if none == len(table):
        raise UserError(
            f"nobody of the cohort ({len(table)} samples) has any covariate of {KEY} ({covariates}): complete the table "
            "or name other columns"
        )
    parts = {name: _columns(table[name].where(known[name]), covariates) for name in table.columns}
    values = pd.concat(parts.values(), axis=1).astype(np.float32)
    features = pd.DataFrame(
        {"covariate": [name for name, part in parts.items() for _ in part], "known": values.notna().sum().to_numpy()},
        index=values.columns,
    )
    reported = ", ".join(f"{name} {count}" for name, count in (~known).sum().items() if count)
    log.info("%d columns of %d covariates for %d samples, %d of whom have none; samples that miss one: %s",
             len(features), len(table.columns), len(table), none, reported or "none")  # fmt: skip
    provenance = {
        "stage": "covariates", "table": str(covariates), "columns": [*names], "features": len(features),
        "samples_in_cohort": len(everyone), "n_samples": len(table), "samples_with_none": none,
    }  # fmt: skip
    write_modality(output, values.to_numpy(), table.index, features, provenance)


def _columns(values: pd.Series, where: PathLike | None) -> pd.DataFrame:
    """A covariate as numbers: itself, or an indicator of each level, all of them NaN where it is."""
    if pd.api.types.is_numeric_dtype(values):
        return values.to_frame()
    texts = values.dropna().map(_text)
    levels = levels_of(texts, values.name, where, KEY)
    indicators = {f"{values.name}={level}": (texts == level).astype(float) for level in levels}
    return pd.DataFrame(indicators, index=texts.index).reindex(values.index)


def _text(value: object) -> str:
    """A level's name; a code is written as in the table, though a missing one beside it made them all decimals."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
