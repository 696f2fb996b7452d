"""Covariates of the GWAS as numeric design columns of complete samples."""

import logging

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.covariates import UNKNOWN, levels_of

log = logging.getLogger(__name__)


def complete(table: pd.DataFrame, samples: pd.Index, where: PathLike | None) -> pd.Index:
    """Return the `samples` with every covariate of `table`, in their order; log the others by covariate.

    `where` is the file of the covariates, for messages. Raises UserError if no sample is complete.
    """
    values = table.loc[samples]
    observed = values.notna() & ~values.isin(UNKNOWN)
    is_complete = observed.all(axis=1)
    if not is_complete.all():
        counts = ", ".join(f"{name} {int(count)}" for name, count in (~observed).sum().items() if count)
        log.warning(
            "%d of %d samples with a missing covariate are left out (%s)",
            int((~is_complete).sum()),
            len(samples),
            counts,
        )
    if len(samples) and not is_complete.any():
        counts = ", ".join(f"{name} in {int(count)}" for name, count in (~observed).sum().items() if count)
        raise UserError(
            f"{where}: none of the {len(samples)} samples to test has every covariate of the GWAS (missing: {counts}). "
            "Complete the table or drop the covariate"
        )
    return samples[is_complete.to_numpy()]


def numeric(table: pd.DataFrame, folds: pd.Series | None, where: PathLike | None) -> pd.DataFrame:
    """Return the design columns of complete samples, float64, without an intercept.

    A text becomes one indicator per level except the first (`column=level`). `folds` become indicators fold1, fold2, …
    except for the lowest fold. Constant columns are left out with a warning. Raises UserError for a text with more than
    20 levels (500 for a factor), and if there are too few samples for the columns.
    """
    columns: dict[str, np.ndarray] = {}
    for name in table.columns:
        if pd.api.types.is_numeric_dtype(table[name]):
            columns[name] = table[name].to_numpy(np.float64)
            continue
        texts = table[name].astype(str)
        levels = levels_of(texts, name, where)
        columns |= {f"{name}={level}": (texts == level).to_numpy(np.float64) for level in levels[1:]}
        if len(levels) == 1:
            columns[name] = np.zeros(len(table))
    if folds is not None:
        columns |= {f"fold{fold}": (folds == fold).to_numpy(np.float64) for fold in sorted(folds.unique())[1:]}
    result = pd.DataFrame(columns, index=table.index, dtype=np.float64)
    constant = [name for name in result.columns if result[name].nunique() < 2]
    if constant:
        log.warning("constant covariates are left out: %s", ", ".join(constant))
        result = result.drop(columns=constant)
    if len(result) < result.shape[1] + 3:
        raise UserError(
            f"{where}: {len(result)} samples are too few for {result.shape[1]} covariates. Shorten gwas.covariates, or "
            "complete the covariates so that fewer samples are left out"
        )
    return result
