"""The covariates that the config names, as numeric columns: ranges expanded, texts as indicators, folds added."""

import logging
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from contigwas.errors import UserError
from contigwas.files import MISSING_VALUES, PathLike, read_table, require
from contigwas.people import require_overlap, require_unique

log = logging.getLogger(__name__)
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
    names: Sequence[str], covariates: PathLike | None, pcs: PathLike | None, cohort: pd.DataFrame
) -> pd.DataFrame:
    """The named covariates of everyone in `cohort` (columns iid, sex), indexed by iid; NaN or None where unknown.

    A name is looked up in the table `covariates`, then among the genetic PCs; `sex` also in the cohort. `factor(name)`
    takes the values of `name` as codes of categories. Raises
    UserError when a name is in none of them, and lists those that exist.
    """
    people = pd.Index(cohort["iid"].astype(str))
    sources: list[pd.DataFrame] = []
    if covariates is not None:
        table = read_table(covariates, ["iid"], "samples.covariates")
        require_unique(table["iid"], covariates)
        require_overlap(people, table["iid"], "the cohort", f"the covariates ({covariates})")
        sources.append(table.set_index("iid").drop(columns="fid", errors="ignore"))
    if pcs is not None:
        table = pd.read_parquet(require(pcs, "the genetic principal components"))
        sources.append(table.set_index(table.pop("iid").astype(str)))
    sources.append(pd.DataFrame({"sex": cohort["sex"].where(cohort["sex"] != 0).to_numpy(np.float64)}, index=people))
    columns = {}
    wanted = expand(names)
    for name in wanted:
        factor = FACTOR.fullmatch(name)
        column = factor[1] if factor else name
        source = next((one for one in sources if column in one.columns), None)
        if source is not None:
            values = source[column].reindex(people)
            columns[name] = values.astype(object).where(values.notna(), None) if factor else values
    absent = [name for name in wanted if name not in columns]
    if absent:
        exist = list(dict.fromkeys(name for source in sources for name in source.columns))
        place = f"{covariates}" if covariates is not None else "samples.covariates (not given)"
        raise UserError(
            f"config: gwas.covariates names {', '.join(absent[:5])}, but {place} and the genetic PCs have only "
            f"{', '.join(map(str, exist[:40]))}: correct the names, or raise genotypes.pcs"
        )
    return pd.DataFrame(columns, index=people)


def complete(table: pd.DataFrame, people: pd.Index, where: PathLike | None) -> pd.Index:
    """The `people` who have every covariate of `table`, in their order; the others are counted, by covariate.

    Raises UserError when nobody has.
    """
    values = table.loc[people]
    known = values.notna() & ~values.isin(UNKNOWN)
    use = known.all(axis=1)
    if not use.all():
        counts = ", ".join(f"{name} {int(count)}" for name, count in (~known).sum().items() if count)
        log.warning("%d of %d people miss a covariate and are left out (%s)", int((~use).sum()), len(people), counts)
    if len(people) and not use.any():
        counts = ", ".join(f"{name} by {int(count)}" for name, count in (~known).sum().items() if count)
        raise UserError(
            f"none of the {len(people)} people to test has every covariate of gwas.covariates ({where}; missing: "
            f"{counts}): complete the table or drop the covariate"
        )
    return people[use.to_numpy()]


def numeric(table: pd.DataFrame, folds: pd.Series | None, where: PathLike | None) -> pd.DataFrame:
    """Design columns of people who are complete, float64, without intercept; constant ones are left out and named.

    A text becomes one indicator a level but the first (`column=level`); `folds` become indicators fold1, fold2, … but
    for the lowest. Raises UserError for a text with more than 20 levels (500 for a factor), and when there are not
    more people than columns.
    """
    columns: dict[str, np.ndarray] = {}
    for name in table.columns:
        if pd.api.types.is_numeric_dtype(table[name]):
            columns[name] = table[name].to_numpy(np.float64)
            continue
        texts = table[name].astype(str)
        levels = sorted(texts.unique())
        most = FACTOR_LEVELS if FACTOR.fullmatch(name) else LEVELS
        if len(levels) > most:
            raise UserError(
                f"{where}: covariate {name} is text with {len(levels)} different values (at most {most} become "
                "indicators): write numbers, factor(name) in gwas.covariates for categories, or NA where unknown"
            )
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
            f"{len(result)} people are too few for {result.shape[1]} covariates: shorten gwas.covariates, or complete "
            f"the covariates ({where}) so that fewer people are left out"
        )
    return result
