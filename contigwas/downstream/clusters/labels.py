"""Labels of people from a table, joined by IID, and the supervised probe that they make possible."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contigwas.downstream.clusters.hide import hidden
from contigwas.errors import UserError
from contigwas.files import MISSING_VALUES, PathLike, read_table, require
from contigwas.people import require_overlap, require_unique
from contigwas.samples.cohort import read_cohort

log = logging.getLogger(__name__)
FOLDS = 5
MOST = 50  # values of a column that is a label


@dataclass(frozen=True)
class Labels:
    """names: of the labels; codes: int (people,), the label of each person, -1 without; unknown: IDs of nobody here."""

    names: list[str]
    codes: np.ndarray
    unknown: int

    @property
    def known(self) -> np.ndarray:
        """Who has a label: bool (people,)."""
        return self.codes >= 0


def read_labels(path: PathLike, column: str, iids: Sequence[str], people: str) -> Labels:
    """The labels of `iids` (called `people` in messages) in a column of a text table or .parquet with iid.

    Raises UserError where the table lacks the column, holds a person twice, shares nobody, or where the column is
    constant or no label among these people.
    """
    table = _read(path, column)
    require_unique(table["iid"], path)
    require_overlap(iids, table["iid"], people, f"the labels ({path})")
    unknown = int((~table["iid"].isin(iids)).sum())
    values = table.set_index("iid")[column].map(_text).reindex(pd.Index(iids))
    codes, names = pd.factorize(values, sort=True)
    known = int((codes >= 0).sum())
    without, others = hidden(len(codes) - known), hidden(unknown)
    log.info("of %d people %s have no label; %s people of %s are not among them", len(codes), without, others, path)
    these = f"{hidden(known)} people" if without == len(codes) - known else f"all but {without} people"
    if len(names) < 2:
        what = f"is {names[0]} in {these}" if len(names) else f"is empty in {len(codes)} people"
        raise UserError(
            f"{path}: the column {column} {what} of {people}, so no cluster can be told from another by it: "
            "name another column, or drop labels"
        )
    if len(names) > MOST:
        raise UserError(
            f"{path}: the column {column} has {len(names)} values among {these} of {people}, more than {MOST}: "
            "labels are few, so name another column or cut this one into classes"
        )
    return Labels([str(name) for name in names], codes, unknown)


def _read(path: PathLike, column: str) -> pd.DataFrame:
    if Path(path).suffix != ".parquet":
        return read_table(path, ["iid", column.lower()], "labels").rename(columns={column.lower(): column})
    table = pd.read_parquet(require(path, "labels"))
    lacking = [name for name in ("iid", column) if name not in table.columns]
    if lacking:
        raise UserError(f"{path} has no column {' or '.join(lacking)}: correct labels in the config, or add it")
    return table[["iid", column]].astype({"iid": str})


def _text(value: object) -> str | None:
    """A label as text: a number that is whole without a point, None where it is missing."""
    if pd.isna(value) or str(value).strip() in MISSING_VALUES:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def families_of(iids: Sequence[str], cohort: PathLike) -> np.ndarray:
    """int (people,): the family of each of `iids` in cohort.tsv; who is not in it is a family alone."""
    table = read_cohort(cohort)
    require_unique(table["iid"], cohort)
    found = table.set_index("iid")["family"].reindex(pd.Index(iids)).fillna("").to_numpy(str)
    codes, names = pd.factorize(found)
    alone = found == ""
    codes[alone] = len(names) + np.arange(alone.sum())
    return codes


def probe(features: np.ndarray, codes: np.ndarray, families: np.ndarray, seed: int) -> np.ndarray | None:
    """Predicted codes (people,) of multinomial logistic regression, each by the fold whose families it did not see.

    `features` (people, features), `codes` and `families` (people,) are of the people with a label. A class of one
    family is never predicted. None where fewer than two classes have a family for each fold, or where the largest
    families leave a fold with one class to learn from.
    """
    pairs = pd.DataFrame({"code": codes, "family": families}).drop_duplicates()
    few = np.bincount(pairs["code"]) < FOLDS
    if (~few).sum() < 2:
        log.warning("fewer than two labels have people of %d families: no supervised probe", FOLDS)
        return None
    if few.any():
        log.warning(
            "%d labels have people of fewer than %d families: the probe can hardly learn them", few.sum(), FOLDS
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # logged above
        split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        folds = [fold for fold in split.split(features, codes, families) if len(fold[1])]
    if any(len(np.unique(codes[learned])) < 2 for learned, _ in folds):
        log.warning("a family is too large for %d folds that each learn two labels: no supervised probe", FOLDS)
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return cross_val_predict(model, features, codes, cv=folds)
