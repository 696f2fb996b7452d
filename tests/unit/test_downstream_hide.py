"""Suppression of small counts: every suppressed count may still have several values."""

from collections import defaultdict
from itertools import pairwise, product

import numpy as np
import pytest

from contigwas.privacy import small_counts as hide


def vectors(places, total):
    """All counts of `places` that add up to `total`."""
    if places == 1:
        yield (total,)
        return
    for first in range(total + 1):
        yield from ((first, *rest) for rest in vectors(places - 1, total - first))


def support(counts):
    return tuple(count > 0 for count in counts)


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(("places", "most"), [(2, 60), (3, 45), (4, 32)])
def test_suppressed_counts_cannot_be_derived(places, most, ordered):
    """Given the rule and the sum, every suppressed count has more than one possible value.

    This also holds if all but the last count (noise) are known to be in descending order. An exception is what the
    sum and the zero counts disclose anyway: of 2 samples in two clusters each cluster has one.
    """
    met = 0
    for total in range(most + 1):
        alike, known = defaultdict(list), defaultdict(list)
        for one in vectors(places, total):
            if ordered and any(a < b for a, b in pairwise(one[:-1])):
                continue
            alike[tuple(hide.suppress_small_counts(one))].append(one)
            known[support(one)].append(one)
        for reported, those in alike.items():
            if not hide.any_hidden([*reported]):
                assert len(those) == 1 and not any(0 < count < 5 for count in reported), reported
                continue
            if any(str(cell).startswith(">=") for cell in reported):
                hidden = [place for place, cell in enumerate(reported) if cell == "<5"]
                free = {*product(range(1, 5), repeat=len(hidden))}
                if ordered:
                    before = len(hidden) - (places - 1 in hidden)
                    free = {one for one in free if all(a >= b for a, b in pairwise(one[:before]))}
                assert {tuple(one[place] for place in hidden) for one in those} == free, (reported, total)
                met += 1
            for place, cell in enumerate(reported):
                values = {one[place] for one in those}
                if not isinstance(cell, str):
                    assert values == {cell}
                elif cell.startswith(">="):
                    assert min(values) >= int(cell[2:]) and len(values) > 1, (reported, total)
                elif len({one[place] for one in known[support(those[0])]}) > 1:
                    assert len(values) > 1, (reported, total)
    assert met > 20
    assert hide.suppress_small_counts([60, 7, 0]) == [60, 7, 0]


def test_bound_depends_only_on_the_sum():
    """The bound of the largest count does not depend on the small count."""
    for total in range(60, 300):
        assert len({tuple(hide.suppress_small_counts([total - small, small])) for small in range(1, 5)}) == 1
        assert (
            len({tuple(hide.suppress_small_counts([20, total - 20 - small, small, 0])) for small in range(1, 5)}) == 1
        )


def test_small_labels_cannot_be_derived():
    """The total of a small label is suppressed in every table."""
    first, second = np.array([[50, 0], [0, 60]]), np.array([[25, 20], [25, 40]])
    for table in (first, second):
        assert hide.suppress_small_cells(table, 0) == table.tolist()
        reported = hide.suppress_small_cells(table, 3)
        assert any(isinstance(row[1], str) for row in reported), "113 samples are tested"
    reported = [hide.suppress_small_cells(np.array(table), 0) for table in ([[50, 3], [40, 0]], [[90, 0], [0, 3]])]
    assert reported[0][0][1] == "<5" and all(isinstance(one[0][0], str) for one in reported)


@pytest.mark.parametrize("everybody", [9, 14, 19])
def test_two_tables_together_disclose_no_small_label(everybody):
    """Two tables of the same labels leave more than one possible number of samples for each small label."""
    numbers, tables = defaultdict(set), defaultdict(set)
    for first, second, without in vectors(3, everybody):
        for one, other in product(range(first + 1), range(second + 1)):
            table = np.array([[one, other], [first - one, second - other]])
            reported = tuple(map(tuple, hide.suppress_small_cells(table, without)))
            numbers[reported].add((first, second, without))
            tables[first, second, without].add(reported)
    for totals, found in tables.items():
        for pair in product(found, repeat=2):
            both = numbers[pair[0]] & numbers[pair[1]]
            for place, total in enumerate(totals):
                assert not 0 < total < 5 or len({one[place] for one in both}) > 1, (totals, pair)
