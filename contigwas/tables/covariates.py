"""The covariates that the config names: where they are found, and what their values are."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap, require_unique
from contigwas.tables.text import MISSING_VALUES, read_table, require

LEVELS = 20  # most different texts in a covariate that is not said to be a factor
FACTOR_LEVELS = 500
FACTOR = re.compile(r"factor\((.+)\)")
UNKNOWN = [*MISSING_VALUES, np.inf, -np.inf]
RANGE = re.compile(r"(.*?)(\d+)-(.*?)(\d+)")


def expand(names: Iterable[str]) -> list[str]:
    """Names with ranges written out, each once.

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
    """The named covariates of everyone in `cohort` (columns iid, sex), indexed by iid; NaN or None where unknown.

    A name is looked up in the table `covariates`, then among the genetic PCs; `sex` also in the cohort. `factor(name)`
    takes the values of `name` as codes of categories. Raises
    UserError when a name is in none of them, and lists those that exist; `key` of the config names them.
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
    """All columns of the table samples.covariates, indexed by iid; UserError where a sample is duplicated."""
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
    """As `read_covariates`, from tables that were read before (`sources`, indexed by iid): the first that has it."""
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
    absent = [name for name in wanted if name not in columns]
    if absent:
        exist = list(dict.fromkeys(name for source in sources for name in source.columns))
        place = f"{covariates}" if covariates is not None else "samples.covariates (not given)"
        raise UserError(
            f"config: {key} names {', '.join(absent[:5])}, but {place} and the genetic PCs have only "
            f"{', '.join(map(str, exist[:40]))}: correct the names, or raise genotypes.pcs"
        )
    return pd.DataFrame(columns, index=samples)


def levels_of(texts: pd.Series, name: str, where: PathLike | None, key: str = "gwas.covariates") -> list[str]:
    """The different values of a text, sorted; raises UserError for more than 20 (500 where `name` is a factor)."""
    levels = sorted(texts.unique())
    most = FACTOR_LEVELS if FACTOR.fullmatch(name) else LEVELS
    if len(levels) > most:
        raise UserError(
            f"{where}: covariate {name} is text with {len(levels)} different values (at most {most} become "
            f"indicators): write numbers, factor(name) in {key} for categories, or NA where unknown"
        )
    return levels
