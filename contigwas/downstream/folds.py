"""Folds in which a linear probe is judged, families together."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.samples.cohort import read_cohort
from contigwas.tables.sample_ids import require_unique


def families_apart(
    codes: np.ndarray, families: np.ndarray, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Who learns and who is asked, positions of samples, in each of `folds`: no family is on both sides.

    Labels `codes` (samples,) are dealt as evenly as `families` (samples,) allow. A fold that nobody falls into is left
    out, and one may lack a label on either side.
    """
    # scikit-learn takes a second to import, which preflight, that reads labels, need not wait for
    from sklearn.model_selection import StratifiedGroupKFold

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        return [fold for fold in split.split(np.zeros((len(codes), 1)), codes, families) if len(fold[1])]


def families_with(codes: np.ndarray, families: np.ndarray) -> np.ndarray:
    """How many families have samples with each label: int (labels,), of the labels that are there, in their order."""
    pairs = np.unique(np.stack([np.unique(one, return_inverse=True)[1] for one in (codes, families)]), axis=1)
    return np.bincount(pairs[0])


def families_of(iids: Sequence[str], cohort: PathLike) -> np.ndarray:
    """int (samples,): the family of each of `iids` in cohort.tsv; who is not in it is a family alone."""
    table = read_cohort(cohort)
    require_unique(table["iid"], cohort)
    found = table.set_index("iid")["family"].reindex(pd.Index(iids)).fillna("").to_numpy(str)
    codes, names = pd.factorize(found)
    alone = found == ""
    codes[alone] = len(names) + np.arange(alone.sum())
    return codes
