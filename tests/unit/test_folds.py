"""Folds and shares: stable, independent of other samples, of the right size."""

import numpy as np
import pytest

from contigwas.samples import assign_folds, heldout_share

FAMILIES = [f"f{number}" for number in range(6000)]


def test_known_values():
    # Written down once: a change here would change the folds of every study.
    assert assign_folds(["a", "b", "c", "d", "a"], 3, 42).tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("folds", [1, 3, 10])
def test_sizes(folds):
    counts = np.bincount(assign_folds(FAMILIES, folds, 1), minlength=folds)
    assert len(counts) == folds
    assert np.abs(counts - 6000 / folds).max() < 5 * np.sqrt(6000 / folds)


def test_removing_samples_does_not_change_folds():
    fold = dict(zip(FAMILIES, assign_folds(FAMILIES, 3, 1), strict=True))
    fewer = FAMILIES[::-7]
    assert assign_folds(fewer, 3, 1).tolist() == [fold[family] for family in fewer]
    assert heldout_share(fewer, 0.3, 1).tolist() == heldout_share(FAMILIES, 0.3, 1)[::-7].tolist()


def test_shares_grow_and_salts_and_seeds_are_independent():
    third = heldout_share(FAMILIES, 0.3, 1)
    assert abs(third.mean() - 0.3) < 0.03
    assert heldout_share(FAMILIES, 0.5, 1)[third].all()
    for other in (heldout_share(FAMILIES, 0.3, 1, salt="validation"), heldout_share(FAMILIES, 0.3, 2)):
        assert abs(other[third].mean() - 0.3) < 0.06
    in_fold = assign_folds(FAMILIES, 3, 1) == 0
    assert abs(third[in_fold].mean() - 0.3) < 0.06


def test_no_folds():
    with pytest.raises(ValueError, match="at least 1"):
        assign_folds(FAMILIES, 0, 1)
