"""The covariates that the config names, as numeric columns: complete samples, texts as indicators, folds added."""

import logging

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.covariates import UNKNOWN, levels_of

log = logging.getLogger(__name__)


def complete(table: pd.DataFrame, samples: pd.Index, where: PathLike | None) -> pd.Index:
    """The `samples` who have every covariate of `table`, in their order; the others are counted, by covariate.

    Raises UserError when nobody has.
    """
    values = table.loc[samples]
    known = values.notna() & ~values.isin(UNKNOWN)
    use = known.all(axis=1)
    if not use.all():
        counts = ", ".join(f"{name} {int(count)}" for name, count in (~known).sum().items() if count)
        log.warning("%d of %d samples miss a covariate and are left out (%s)", int((~use).sum()), len(samples), counts)
    if len(samples) and not use.any():
        counts = ", ".join(f"{name} by {int(count)}" for name, count in (~known).sum().items() if count)
        raise UserError(
            f"none of the {len(samples)} samples to test has every covariate of the GWAS ({where}; missing: "
            f"{counts}): complete the table or drop the covariate"
        )
    return samples[use.to_numpy()]


def numeric(table: pd.DataFrame, folds: pd.Series | None, where: PathLike | None) -> pd.DataFrame:
    """Design columns of samples that are complete, float64, without intercept; constant ones are left out and named.

    A text becomes one indicator a level but the first (`column=level`); `folds` become indicators fold1, fold2, … but
    for the lowest. Raises UserError for a text with more than 20 levels (500 for a factor), and when there are not
    more samples than columns.
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
            f"{len(result)} samples are too few for {result.shape[1]} covariates: shorten gwas.covariates, or complete "
            f"the covariates ({where}) so that fewer samples are left out"
        )
    return result
