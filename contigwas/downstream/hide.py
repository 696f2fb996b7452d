"""Counts of people as they may be told: none of 1 to 4, and none from which such a one could be worked out."""

from collections.abc import Sequence

import numpy as np

LEAST = 5  # people: a smaller count could point at somebody
ROUND = 10
SMALL, LARGE, SOME = f"<{LEAST}", ">=", ">0"


def hidden(count: int) -> int | str:
    """A count of people as it may be told.

    >>> hidden(3), hidden(0), hidden(12)
    ('<5', 0, 12)
    """
    return SMALL if 0 < count < LEAST else int(count)


def told(counts: Sequence[int]) -> list[int | str]:
    """Counts whose sum is known, as they may be told: a small one would be the sum without the others.

    The largest are hidden beside it, as many as leave every small count free to be anything from 1 to 4, whatever the
    order of the counts tells; of those a round number is told that they do not fall below, were every small count 4.
    Where all of them do not suffice, it is only told which counts are not 0.

    >>> told([237, 3]), told([60, 20, 8, 0]), told([90, 60, 20, 2])
    (['>=230', '<5'], [60, 20, 8, 0], ['>=80', 60, 20, '<5'])
    """
    counts = [int(count) for count in counts]
    result = [hidden(count) for count in counts]
    small = [count for count in counts if 0 < count < LEAST]
    if not small:
        return result
    large = sorted((place for place, count in enumerate(counts) if count >= LEAST), key=lambda place: -counts[place])
    spare = sum(small) - (LEAST - 1) * len(small)  # of the hidden large ones together, if the small ones were all 4
    for number, place in enumerate(large, start=1):
        least = counts[place] - (LEAST - 1) * len(small)
        result[place] = f"{LARGE}{max(LEAST, least // ROUND * ROUND)}"
        spare += counts[place]
        if spare >= number * (counts[large[number]] if number < len(large) else LEAST):
            return result
    return [SOME if count else 0 for count in counts] if large else result


def told_table(counts: np.ndarray, without: int) -> list[list[int | str]]:
    """Counts (clusters, labels) as they may be told beside other tables of the same labels.

    `without` people have no label; with them the sum of all is known. The other tables may tell how many people have
    each label. Where this would tell a small label, or `without`, a label's number is hidden in every table.
    """
    totals = counts.sum(axis=0)
    columns = []
    for total, as_told, column in zip(totals, told([*totals, without]), counts.T, strict=False):
        hide = not isinstance(as_told, int) and total >= LEAST
        columns.append(told([*column, 1])[:-1] if hide else told(column))
    return [list(row) for row in zip(*columns, strict=True)]


def any_hidden(values: Sequence) -> bool:
    """Whether any count, in whatever nesting, is hidden."""
    return any(any_hidden(one) if isinstance(one, list) else isinstance(one, str) for one in values)


def coarse(value: float, people: int) -> float:
    """A share of `people`, or a measure of their table, to the nearest multiple of what 10 people make of it.

    >>> round(coarse(0.9875, 240), 4), coarse(0.98, 5)
    (1.0, 1.0)
    """
    step = min(2 * LEAST / people, 1.0)
    return float(np.clip(round(value / step) * step, -1, 1))
