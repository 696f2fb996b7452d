"""Counts as they are told: every small one may still be anything that it is said to be."""

from itertools import pairwise, product

import numpy as np

from contigwas.downstream import hide


def possible(told, total, ordered):
    """All counts that `told` may stand for: of one sum, and the `ordered` first ones from the largest on."""

    def counts(cell):
        if isinstance(cell, int):
            return [cell]
        return range(int(cell[2:]), total + 1) if cell.startswith(">=") else range(1, 5 if cell == "<5" else total + 1)

    for one in product(*map(counts, told)):
        if sum(one) == total and all(a >= b for a, b in pairwise(one[:ordered])):
            yield one


def test_hidden_counts_cannot_be_worked_out():
    """Clusters in order and noise, whose sum is known: a small count may still be anything that it is said to be."""
    rng = np.random.default_rng(0)
    hidden_ones = 0
    for _ in range(300):
        sizes = np.sort(rng.choice([1, 2, 3, 4, 5, 6, 9, 14, 15, 22], rng.integers(1, 4)))[::-1]
        counts = [*sizes.tolist(), int(rng.choice([0, 0, 2, 4, 7]))]
        told = hide.told(counts)
        found = list(possible(told, sum(counts), len(sizes)))
        assert tuple(counts) in found
        if max(counts) < 5:
            continue
        for place, count in enumerate(counts):
            if 0 < count < 5:
                hidden_ones += 1
                values = {one[place] for one in found}
                whole = told[place] == "<5" and told.count("<5") == 1
                assert values == {1, 2, 3, 4} if whole else len(values) > 1, (counts, told)
    assert hidden_ones > 100
    assert hide.told([60, 7, 0]) == [60, 7, 0]


def test_a_label_or_no_label_of_few_people_cannot_be_worked_out():
    """What all tables tell of a label adds up to no number of people: its total is hidden in each."""
    first, second = np.array([[50, 0], [0, 60]]), np.array([[25, 20], [25, 40]])
    for table in (first, second):
        assert hide.told_table(table, 0) == table.tolist()
        told = hide.told_table(table, 3)
        assert any(isinstance(row[1], str) for row in told), "113 people are tested"
    told = [hide.told_table(np.array(table), 0) for table in ([[50, 3], [40, 0]], [[90, 0], [0, 3]])]
    assert told[0][0][1] == "<5" and all(isinstance(one[0][0], str) for one in told)
