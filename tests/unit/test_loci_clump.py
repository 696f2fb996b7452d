"""Clumping on arrays, with linkage given by a matrix."""

import numpy as np

from contigwas.loci import clump
from contigwas.loci.clump import Thresholds


def given(r2):
    return lambda index, others: r2[index, others]


def test_most_significant_variant_claims_first():
    r2 = np.eye(5)
    r2[1, [0, 2, 3]] = [0.9, 0.3, 0.2]
    r2[4, 3] = 0.5
    log10p = np.array([9.0, 12.0, 1.0, 7.5, 8.0])
    found = clump(log10p, np.arange(5) * 1000 + 1, Thresholds(1e-7, 1e-7, 0.2, 10), given(r2))
    assert [one.index for one in found] == [1, 4]
    assert found[0].claimed.tolist() == [0, 2]  # 3 has r2 of exactly the threshold: not above it
    assert found[0].listed.tolist() == [0]  # 2 is claimed whatever its p
    assert found[1].claimed.tolist() == [3]


def test_ties_are_broken_by_bim_order():
    everything = np.ones((3, 3))
    log10p = np.full(3, 10.0, np.float32)
    positions = np.array([5, 6, 7])
    first = clump(log10p, positions, Thresholds(0.5, 0.5, 0.1, 1), given(everything))
    assert [one.index for one in first] == [0]
    other = clump(log10p, positions, Thresholds(0.5, 0.5, 0.1, 1), given(everything), np.array([2, 1, 0]))
    assert [one.index for one in other] == [2]


def test_p_values_beyond_float64():
    # p = 1e-400 and 1e-350 are both 0 as floats; in -log10 they have an order.
    found = clump(np.array([350.0, 400.0]), np.array([1, 2]), Thresholds(5e-8, 5e-8, 0.1, 1), given(np.ones((2, 2))))
    assert [one.index for one in found] == [1]


def test_p_equal_to_the_threshold():
    # -log10(5e-8) rounded to float32 is below the float64: p <= p1 must hold all the same, p < p2 must not.
    log10p = np.array([-np.log10(5e-8)] * 2, np.float32)
    found = clump(log10p, np.array([1, 2]), Thresholds(5e-8, 5e-8, 0.1, 1), given(np.ones((2, 2))))
    assert [one.index for one in found] == [0]
    assert found[0].claimed.tolist() == [1]
    assert found[0].listed.tolist() == []


def test_untested_and_unlinked_are_never_claimed():
    r2 = np.ones((4, 4))
    r2[0, 2] = np.nan
    log10p = np.array([10, np.nan, 1, 1])
    found = clump(log10p, np.array([1, 2, 3, 4]), Thresholds(1e-8, 1, 0.0, 1), given(r2))
    assert found[0].claimed.tolist() == [3]


def test_r2_is_computed_only_in_the_window():
    asked = []

    def spy(index, others):
        asked.append((index, others.tolist()))
        return np.zeros(len(others))

    log10p = np.zeros(2001)
    log10p[1000] = 20
    clump(log10p, np.arange(2001) * 1000, Thresholds(1e-8, 1, 0.1, 2), spy)
    assert asked == [(1000, [999, 1001])]


def test_positions_in_any_order():
    positions = np.array([9000, 1000, 5000, 5200, 1100])
    found = clump(np.array([1, 1, 9, 1, 1.0]), positions, Thresholds(1e-8, 1, 0.1, 1), given(np.ones((5, 5))))
    assert found[0].claimed.tolist() == [3]
