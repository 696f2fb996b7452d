"""Phenotypes that were made elsewhere: the table as it is user-supplied."""

import logging

import numpy as np
import pandas as pd
import pyarrow as pa

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import read_table, require

log = logging.getLogger(__name__)
TAKEN = {"minp", "manova", "acat", "iid", "fid"}  # names of the tests over features, and of samples


def read_features(path: PathLike) -> pd.DataFrame:
    """The features of a TSV or Parquet table (FID, IID, features) by iid: float64, NaN where missing or infinite.

    Raises UserError for a table without features, with text in one, with a name twice or one that a test over features
    has, and for a sample that is duplicated.
    """
    path = require(path, "the model's phenotypes")
    if path.suffix == ".parquet":
        try:
            table = pd.read_parquet(path)
        except pa.ArrowInvalid:
            raise UserError(f"{path} is not a Parquet file: write it again, or give a TSV table") from None
        table.columns = [name.lower() if name.lower() in ("fid", "iid") else name for name in map(str, table.columns)]
        if "iid" not in table.columns:
            raise UserError(f"{path} has no column iid: add it")
    else:
        table = read_table(path, ["iid"], "the model's phenotypes")
    require_unique(table["iid"].astype(str), path)
    features = table.set_index(table["iid"].astype(str)).drop(columns=["fid", "iid"], errors="ignore")
    if not features.shape[1]:
        raise UserError(f"{path} has no feature beside FID and IID: add one column a feature")
    if features.columns.duplicated().any():
        raise UserError(
            f"{path}: column {features.columns[features.columns.duplicated()][0]} is duplicated: rename one"
        )
    for name in features.columns:
        if not pd.api.types.is_numeric_dtype(features[name]):
            raise UserError(f"{path}: column {name} holds text: write numbers, and NA where a value is not known")
        if name in TAKEN:
            raise UserError(f"{path}: a feature cannot be named {name}, which is a test over features: rename it")
    features = features.astype(np.float64)
    infinite = np.isinf(features).to_numpy().sum()
    if infinite:
        log.warning("%d infinite values of %s count as missing", infinite, path)
    return features.replace([np.inf, -np.inf], np.nan)
