"""Covariates named in the config: lookup in the tables, and the levels of categorical ones."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap, require_unique
from contigwas.tables.text import MISSING_VALUES, read_table, require

MAX_LEVELS = 20  # distinct strings in a covariate that is not declared as a factor
MAX_FACTOR_LEVELS = 500
FACTOR = re.compile(r"factor\((.+)\)")
UNKNOWN = [*MISSING_VALUES, np.inf, -np.inf]
RANGE = re.compile(r"(.*?)(\d+)-(.*?)(\d+)")


def expand(names: Iterable[str]) -> list[str]:
    """Return the names with ranges expanded, each once.

    >>> expand(["sex", "PC1-PC3", "PC2"])
    ['sex', 'PC1', 'PC2', 'PC3']
    """
    found: list[str] = []
    for name in names:
        match = RANGE.fullmatch(name)
        if match and match[1] == match[3] and int(match[2]) <= int(match[4]):
            found += [f"{match[1]}{number}" for number in range(int(match[2]), int(match[4]) + 1)]
        else:
            found.append(name)
    return list(dict.fromkeys(found))


def read_covariates(
    names: Sequence[str],
    covariates: PathLike | None,
    pcs: PathLike | None,
    cohort: pd.DataFrame,
    key: str = "gwas.covariates",
) -> pd.DataFrame:
    """Return the named covariates of the samples of `cohort` (columns iid, sex) by iid; NaN or None if missing.

    A name is looked up in the table `covariates`, then in the genetic PCs, and `sex` also in the cohort. `factor(name)`
    treats the values of `name` as categories. Raises UserError if a name does not exist, and lists the existing ones.
    `key` is the config key of the names.
    """
    samples = pd.Index(cohort["iid"].astype(str))
    sources: list[pd.DataFrame] = []
    if covariates is not None:
        table = read_covariate_table(covariates)
        require_overlap(samples, table.index, "the cohort", f"the covariates ({covariates})")
        sources.append(table)
    if pcs is not None:
        table = pd.read_parquet(require(pcs, "the genetic principal components"))
        sources.append(table.set_index(table.pop("iid").astype(str)))
    return look_up(names, sources, cohort, covariates, key)


def read_covariate_table(path: PathLike) -> pd.DataFrame:
    """Return all columns of the table samples.covariates, indexed by iid; raise UserError for duplicate samples."""
    table = read_table(path, ["iid"], "samples.covariates")
    require_unique(table["iid"], path)
    return table.set_index("iid").drop(columns="fid", errors="ignore")


def look_up(
    names: Sequence[str],
    sources: Sequence[pd.DataFrame],
    cohort: pd.DataFrame,
    covariates: PathLike | None,
    key: str = "gwas.covariates",
) -> pd.DataFrame:
    """Return the same as `read_covariates`, from tables that are already read (`sources`, indexed by iid), in order."""
    samples = pd.Index(cohort["iid"].astype(str))
    sources = [*sources]
    sources.append(pd.DataFrame({"sex": cohort["sex"].where(cohort["sex"] != 0).to_numpy(np.float64)}, index=samples))
    columns = {}
    wanted = expand(names)
    for name in wanted:
        factor = FACTOR.fullmatch(name)
        column = factor[1] if factor else name
        source = next((one for one in sources if column in one.columns), None)
        if source is not None:
            values = source[column].reindex(samples)
            columns[name] = values.astype(object).where(values.notna(), None) if factor else values
    missing = [name for name in wanted if name not in columns]
    if missing:
        exist = list(dict.fromkeys(name for source in sources for name in source.columns))
        table_name = f"{covariates}" if covariates is not None else "samples.covariates (not given)"
        raise UserError(
            f"config: {key} names {', '.join(missing[:5])}, but {table_name} and the genetic PCs have only "
            f"{', '.join(map(str, exist[:40]))}. Correct the names, or increase genotypes.pcs"
        )
    return pd.DataFrame(columns, index=samples)


def levels_of(texts: pd.Series, name: str, where: PathLike | None, key: str = "gwas.covariates") -> list[str]:
    """Return the distinct strings, sorted; raise UserError for more than 20 (500 if `name` is declared a factor)."""
    levels = sorted(texts.unique())
    max_levels = MAX_FACTOR_LEVELS if FACTOR.fullmatch(name) else MAX_LEVELS
    if len(levels) > max_levels:
        raise UserError(
            f"{where}: covariate {name} is text with {len(levels)} different values, but the maximum is {max_levels}. "
            f"Write numbers, use factor(name) in {key} for categories, or write NA where unknown"
        )
    return levels
