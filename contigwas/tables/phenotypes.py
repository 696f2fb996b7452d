"""Reader of user-supplied phenotypes."""

import logging

import numpy as np
import pandas as pd
import pyarrow as pa

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import read_table, require

log = logging.getLogger(__name__)
RESERVED_NAMES = {"minp", "manova", "acat", "iid", "fid"}  # names of tests over features and of ID columns


def read_features(path: PathLike) -> pd.DataFrame:
    """Return the features of a text or Parquet table (FID, IID, features), indexed by iid: float64.

    Missing and infinite values become NaN. Raises UserError for a table without features, a feature that is text,
    duplicated or named like a test over features, and for duplicate samples.
    """
    path = require(path, "the model's phenotypes")
    if path.suffix == ".parquet":
        try:
            table = pd.read_parquet(path)
        except pa.ArrowInvalid:
            raise UserError(f"{path} is not a Parquet file. Write it again, or supply a text table") from None
        table.columns = [name.lower() if name.lower() in ("fid", "iid") else name for name in map(str, table.columns)]
        if "iid" not in table.columns:
            raise UserError(f"{path}: no column iid. Add it")
    else:
        table = read_table(path, ["iid"], "the model's phenotypes")
    require_unique(table["iid"].astype(str), path)
    features = table.set_index(table["iid"].astype(str)).drop(columns=["fid", "iid"], errors="ignore")
    if not features.shape[1]:
        raise UserError(f"{path}: no column other than FID and IID. Add one column per feature")
    if features.columns.duplicated().any():
        raise UserError(
            f"{path}: column {features.columns[features.columns.duplicated()][0]} is duplicated. Rename or drop one"
        )
    for name in features.columns:
        if not pd.api.types.is_numeric_dtype(features[name]):
            raise UserError(f"{path}: column {name} holds text. Write numbers, and NA where a value is missing")
        if name in RESERVED_NAMES:
            raise UserError(f"{path}: column {name} has the name of a test over features. Rename it")
    features = features.astype(np.float64)
    infinite = np.isinf(features).to_numpy().sum()
    if infinite:
        log.warning("%d infinite values of %s are set to missing", infinite, path)
    return features.replace([np.inf, -np.inf], np.nan)
