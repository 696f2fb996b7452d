"""Families and unrelated sets: properties on random pairs."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from contigwas.samples.families import families, related_pairs, unrelated
from tests.plink_files import iids

PAIRS = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)).filter(lambda pair: pair[0] != pair[1]), max_size=25)


def as_array(pairs: list) -> np.ndarray:
    return np.array(pairs, np.int64).reshape(-1, 2)


@given(PAIRS)
def test_a_family_is_a_connected_component(pairs):
    names = families(iids(15), as_array(pairs))
    label = list(range(15))
    for _ in range(15):
        for one, other in pairs:
            label[one] = label[other] = min(label[one], label[other])
    together = np.equal.outer(label, label)
    np.testing.assert_array_equal(np.equal.outer(names, names), together)
    assert all(iid not in name for iid in iids(15) for name in names)


@given(PAIRS, st.integers(0, 14))
def test_nobody_else_moves_when_a_sample_leaves(pairs, gone):
    samples = iids(15)
    before = families(samples, as_array(pairs))
    stay = [number for number in range(15) if number != gone]
    left = [(stay.index(one), stay.index(other)) for one, other in pairs if gone not in (one, other)]
    after = families([samples[number] for number in stay], as_array(left))
    for position, number in enumerate(stay):
        if before[number] != before[gone]:
            assert after[position] == before[number]


@given(PAIRS, st.randoms())
def test_unrelated_has_no_pair_and_is_maximal(pairs, random):
    samples = iids(15)
    kept = unrelated(samples, as_array(pairs), 1)
    assert not any(kept[one] and kept[other] for one, other in pairs)
    near = {number: {b if a == number else a for a, b in pairs if number in (a, b)} for number in range(15)}
    assert all(kept[number] or any(kept[other] for other in near[number]) for number in range(15))
    order = list(range(15))
    random.shuffle(order)
    moved = [(order.index(other), order.index(one)) for one, other in reversed(pairs)]
    again = unrelated([samples[number] for number in order], as_array(moved), 1)
    assert {samples[number] for number in np.array(order)[again]} == {
        samples[number] for number in np.flatnonzero(kept)
    }


def test_who_has_no_relative_left_comes_back():
    """In a chain with branches the greedy choice alone would leave out someone whose relatives have all gone."""
    pairs = [(0, 4), (1, 2), (1, 5), (2, 4), (2, 3)]
    for seed in range(20):
        kept = unrelated(iids(6), as_array(pairs), seed)
        near = {number: {b if a == number else a for a, b in pairs if number in (a, b)} for number in range(6)}
        assert all(kept[one] != any(kept[other] for other in near[one]) for one in range(6))


def test_the_one_with_most_relatives_goes():
    kept = unrelated(iids(6), as_array([(2, 0), (2, 1), (3, 2), (4, 5)]), 1)
    assert kept[[0, 1, 3]].all()
    assert not kept[2]
    assert kept[4] != kept[5]


def test_pairs_among_the_samples_at_hand():
    table = pd.DataFrame({"iid1": ["a", "b", "x"], "iid2": ["b", "c", "a"], "kinship": [0.25, 0.05, 0.3]})
    assert related_pairs(["c", "b", "a"], table, 0.0884).tolist() == [[2, 1]]
    assert related_pairs(["c", "b"], table, 0.01).tolist() == [[1, 0]]
    assert related_pairs(["c"], table).shape == (0, 2)
