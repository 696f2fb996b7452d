"""Labels of clustered samples from a table, joined by IID, and a supervised probe that predicts them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.downstream.columns import read_columns, text
from contigwas.downstream.folds import count_families, split_by_family
from contigwas.privacy.small_counts import hidden
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)
FOLDS = 5
MAX_CLASSES = 50


@dataclass(frozen=True)
class Labels:
    """Labels of samples.

    names: names of the labels; codes: int (samples,), the label of each sample, -1 if it has none; unknown: number of
    IDs in the table that are not among the samples.
    """

    names: list[str]
    codes: np.ndarray
    unknown: int

    @property
    def is_labelled(self) -> np.ndarray:
        """bool (samples,): whether the sample has a label."""
        return self.codes >= 0


def read_labels(path: PathLike, column: str, iids: Sequence[str], samples: str) -> Labels:
    """Return the labels of `iids` from a column of the table at `path`; messages name the samples as `samples`.

    Raises UserError as `read_column_of_labels` and `labels_of` do.
    """
    return labels_of(read_column_of_labels(path, column), path, column, iids, samples)


def read_column_of_labels(path: PathLike, column: str) -> pd.Series:
    """Return a column of a text table or .parquet file, unchanged, indexed by the column iid.

    Column names are not case-sensitive. Raises UserError if the file cannot be read, a column is missing, or a sample
    is duplicated.
    """
    return read_columns(path, [column])[column]


def labels_of(table: pd.Series, path: PathLike, column: str, iids: Sequence[str], samples: str) -> Labels:
    """Return the labels of `iids` from the result of `read_column_of_labels`; messages name the samples as `samples`.

    Raises UserError if no sample has a row in the table, or if the column is constant or has more than 50 values.
    """
    require_overlap(iids, table.index, samples, f"the labels ({path})")
    unknown = int((~table.index.isin(iids)).sum())
    values = table.map(text).reindex(pd.Index(iids))
    codes, names = pd.factorize(values, sort=True)
    labelled = int((codes >= 0).sum())
    without, others = hidden(len(codes) - labelled), hidden(unknown)
    log.info("of %d samples %s have no label; %s samples of %s are not among them", len(codes), without, others, path)
    counted = f"{hidden(labelled)} samples" if without == len(codes) - labelled else f"all but {without} samples"
    if len(names) < 2:
        problem = f"is {names[0]} in {counted}" if len(names) else f"is empty in {len(codes)} samples"
        raise UserError(
            f"{path}: column {column} {problem} of {samples}, so it cannot distinguish clusters. Name another column, "
            "or remove labels from the task."
        )
    if len(names) > MAX_CLASSES:
        raise UserError(
            f"{path}: column {column} has {len(names)} values among {counted} of {samples}, but at most {MAX_CLASSES} "
            "are allowed. Name another column, or merge its values into classes."
        )
    return Labels([str(name) for name in names], codes, unknown)


def probe(features: np.ndarray, codes: np.ndarray, families: np.ndarray, seed: int) -> np.ndarray | None:
    """Return cross-validated predictions (samples,) of multinomial logistic regression; folds keep families together.

    `features` (samples, features), `codes` and `families` (samples,) are those of the labelled samples. A class of one
    family is never predicted. Returns None if fewer than two classes have as many families as there are folds, or if
    large families leave a fold with a single class in its training samples.
    """
    # imported late: preflight reads labels and does not need scikit-learn, which takes a second to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    few = count_families(codes, families) < FOLDS
    if (~few).sum() < 2:
        log.warning("no supervised probe: fewer than two labels have samples of %d families", FOLDS)
        return None
    if few.any():
        log.warning(
            "supervised probe: %d labels have samples of fewer than %d families and are hard to learn", few.sum(), FOLDS
        )
    folds = split_by_family(codes, families, FOLDS, seed)
    if any(len(np.unique(codes[train])) < 2 for train, _ in folds):
        log.warning("no supervised probe: a family is so large that one of %d folds has a single label", FOLDS)
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return cross_val_predict(model, features, codes, cv=folds)
