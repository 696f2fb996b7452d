"""Phenotypes that were made elsewhere: a table of people and features."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from contigwas.errors import UserError
from contigwas.files import PathLike, read_table, require
from contigwas.people import require_overlap, require_unique
from contigwas.phenotypes.write import TAKEN, write_tables
from contigwas.samples.cohort import read_cohort

log = logging.getLogger(__name__)


def write_brought(
    path: PathLike,
    cohort: PathLike,
    covariates: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
    output_phenotypes: PathLike,
    output_covariates: PathLike,
    images: PathLike | None = None,
) -> None:
    """Write the phenotypes of a brought table (TSV or Parquet: FID and IID, then features) and their covariates.

    A feature may miss people; people without any feature are left out. `settings`: transform, covariates (names) and
    image_covariates (columns of the table `images`).
    Raises UserError for a table without features, with text in one, with a name twice or one that a test over features
    has, for a person who stands twice, and when it shares nobody with the cohort.
    """
    features = _read(Path(path))
    people = read_cohort(cohort)
    require_overlap(features.index, people["iid"], f"the phenotypes ({path})", f"the cohort ({cohort})")
    some = features.notna().any(axis=1)
    if not some.all():
        log.warning("%d people of %s have no feature at all and are left out", int((~some).sum()), path)
    if not some.any():
        raise UserError(f"{path}: every value is missing: write numbers, and NA where a value is not known")
    tables = (output_phenotypes, output_covariates)
    write_tables(features[some], None, people, covariates, pcs, settings, *tables, images)


def _read(path: Path) -> pd.DataFrame:
    """The features of the table, indexed by iid, float64; NaN where missing or infinite."""
    require(path, "the model's phenotypes")
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
        raise UserError(f"{path}: column {features.columns[features.columns.duplicated()][0]} stands twice: rename one")
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
