"""Cross-validation folds that keep families together."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.samples.cohort import read_cohort
from contigwas.tables.sample_ids import require_unique


def split_by_family(
    codes: np.ndarray, families: np.ndarray, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return positions of training and test samples of each of `folds`; no family is in both.

    Folds are stratified by the labels `codes` (samples,) as far as `families` (samples,) allow. A fold without test
    samples is left out. A label can be missing from the training or test samples of a fold.
    """
    # imported late: preflight reads labels and does not need scikit-learn, which takes a second to import
    from sklearn.model_selection import StratifiedGroupKFold

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        return [fold for fold in split.split(np.zeros((len(codes), 1)), codes, families) if len(fold[1])]


def count_families(codes: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Return the number of families with each label that is present: int (labels,), in the order of the labels."""
    pairs = np.unique(np.stack([np.unique(one, return_inverse=True)[1] for one in (codes, families)]), axis=1)
    return np.bincount(pairs[0])


def family_codes(iids: Sequence[str], cohort: PathLike) -> np.ndarray:
    """Return int codes (samples,) of the families of `iids` in cohort.tsv. A sample not in it gets a separate code."""
    table = read_cohort(cohort)
    require_unique(table["iid"], cohort)
    family = table.set_index("iid")["family"].reindex(pd.Index(iids)).fillna("").to_numpy(str)
    codes, names = pd.factorize(family)
    without_family = family == ""
    codes[without_family] = len(names) + np.arange(without_family.sum())
    return codes
