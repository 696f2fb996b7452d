"""Labels of samples from a table, joined by IID, and the supervised probe that they make possible."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.downstream.columns import read_columns, text
from contigwas.downstream.folds import families_apart, families_with
from contigwas.privacy.small_counts import hidden
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)
FOLDS = 5
MOST = 50  # values of a column that is a label


@dataclass(frozen=True)
class Labels:
    """names: of the labels; codes: int (samples,), the label of each sample, -1 without; unknown: IDs of nobody here."""

    names: list[str]
    codes: np.ndarray
    unknown: int

    @property
    def known(self) -> np.ndarray:
        """Who has a label: bool (samples,)."""
        return self.codes >= 0


def read_labels(path: PathLike, column: str, iids: Sequence[str], samples: str) -> Labels:
    """The labels of `iids` (called `samples` in messages) in a column of the table at `path`.

    Raises UserError as `read_column_of_labels` and `labels_of` do.
    """
    return labels_of(read_column_of_labels(path, column), path, column, iids, samples)


def read_column_of_labels(path: PathLike, column: str) -> pd.Series:
    """A column of a text table or .parquet with iid as it stands there, indexed by IID; upper case or lower, both are.

    Raises UserError where the file cannot be read, lacks a column or holds a sample twice.
    """
    return read_columns(path, [column])[column]


def labels_of(given: pd.Series, path: PathLike, column: str, iids: Sequence[str], samples: str) -> Labels:
    """The labels of `iids` (called `samples` in messages) among those `given` by `read_column_of_labels`.

    Raises UserError where they share nobody, or where the column is constant or no label among these samples.
    """
    require_overlap(iids, given.index, samples, f"the labels ({path})")
    unknown = int((~given.index.isin(iids)).sum())
    values = given.map(text).reindex(pd.Index(iids))
    codes, names = pd.factorize(values, sort=True)
    known = int((codes >= 0).sum())
    without, others = hidden(len(codes) - known), hidden(unknown)
    log.info("of %d samples %s have no label; %s samples of %s are not among them", len(codes), without, others, path)
    these = f"{hidden(known)} samples" if without == len(codes) - known else f"all but {without} samples"
    if len(names) < 2:
        what = f"is {names[0]} in {these}" if len(names) else f"is empty in {len(codes)} samples"
        raise UserError(
            f"{path}: the column {column} {what} of {samples}, so no cluster can be reported from another by it: "
            "name another column, or drop labels"
        )
    if len(names) > MOST:
        raise UserError(
            f"{path}: the column {column} has {len(names)} values among {these} of {samples}, more than {MOST}: "
            "labels are few, so name another column or cut this one into classes"
        )
    return Labels([str(name) for name in names], codes, unknown)


def probe(features: np.ndarray, codes: np.ndarray, families: np.ndarray, seed: int) -> np.ndarray | None:
    """Predicted codes (samples,) of multinomial logistic regression, each by the fold whose families it did not see.

    `features` (samples, features), `codes` and `families` (samples,) are of the samples with a label. A class of one
    family is never predicted. None where fewer than two classes have a family for each fold, or where the largest
    families leave a fold with one class to learn from.
    """
    # scikit-learn takes a second to import, which preflight, that reads labels, need not wait for
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    few = families_with(codes, families) < FOLDS
    if (~few).sum() < 2:
        log.warning("fewer than two labels have samples of %d families: no supervised probe", FOLDS)
        return None
    if few.any():
        log.warning(
            "%d labels have samples of fewer than %d families: the probe can hardly learn them", few.sum(), FOLDS
        )
    folds = families_apart(codes, families, FOLDS, seed)
    if any(len(np.unique(codes[learned])) < 2 for learned, _ in folds):
        log.warning("a family is too large for %d folds that each learn two labels: no supervised probe", FOLDS)
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return cross_val_predict(model, features, codes, cv=folds)
