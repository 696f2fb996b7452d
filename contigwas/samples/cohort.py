"""The cohort table: which samples are included, their folds, and which samples are included in the GWAS."""

import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import read_table

COLUMNS = ["fid", "iid", "sex", "family", "fold", "gwas_included", "exclusion"]


def read_cohort(path: PathLike) -> pd.DataFrame:
    """Read cohort.tsv in the order of the file; `exclusion` and `gwas_exclusion` are text, empty without a reason.

    Raises UserError when the file is missing, is not a regular table, or a column is missing.
    """
    table = read_table(path, COLUMNS, "the table of the cohort")
    text = [name for name in ("exclusion", "gwas_exclusion", "family") if name in table.columns]
    # read_table returns a column without any value as missing numbers
    table[text] = table[text].astype(object).where(table[text].notna(), "").astype(str)
    return table


def included(cohort: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the included samples, with the index of `cohort`."""
    return cohort[cohort["exclusion"] == ""]


def read_included(path: PathLike) -> pd.DataFrame:
    """Read the included samples of cohort.tsv in the order of the file, with a new index.

    Raises UserError as `read_cohort` does, and when an IID is duplicated.
    """
    cohort = read_cohort(path)
    require_unique(cohort["iid"], path)
    return included(cohort).reset_index(drop=True)


def read_gwas_iids(path: PathLike) -> pd.Index:
    """Read the IIDs of the samples of cohort.tsv that are included in the GWAS, in the order of the file."""
    table = read_table(path, ["iid", "gwas_included"], "the table of the cohort")
    return pd.Index(table.loc[table["gwas_included"] == 1, "iid"])
