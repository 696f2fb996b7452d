"""Counts of samples as they may be reported: none of 1 to 4, and none from which such a one could be worked out."""

from collections.abc import Sequence

import numpy as np

LEAST = 5  # samples: a smaller count could point at somebody
ROUND = 10
SMALL, LARGE, SOME = f"<{LEAST}", ">=", ">0"


def hidden(count: int) -> int | str:
    """A count of samples as it may be reported.

    >>> hidden(3), hidden(0), hidden(12)
    ('<5', 0, 12)
    """
    return SMALL if 0 < count < LEAST else int(count)


def reported(counts: Sequence[int]) -> list[int | str]:
    """Counts whose sum is known, as they may be reported: a small one would be the sum without the others.

    The largest are hidden beside it, as many as leave all small counts together free to be anything from 1 to 4. What
    is reported of a hidden one, that it does not fall below a number, follows from the sum and from what is reported exactly,
    and so tells nothing more. Where hiding all large ones does not suffice, or several small ones are alone, it is only
    reported which counts are not 0. Nothing helps where the sum tells by itself (of one count, or of as many samples as
    counts).

    >>> reported([237, 3]), reported([60, 20, 8, 0]), reported([90, 60, 20, 2])
    (['>=230', '<5'], [60, 20, 8, 0], ['>=80', 60, 20, '<5'])
    >>> reported([300, 300, 90, 2]), reported([6, 2]), reported([0, 4, 4])
    (['>=90', '>=90', 90, '<5'], ['>0', '>0'], [0, '>0', '>0'])
    """
    counts = [int(count) for count in counts]
    result = [hidden(count) for count in counts]
    small = [count for count in counts if 0 < count < LEAST]
    if not small:
        return result
    most = LEAST - 1
    large = sorted((place for place, count in enumerate(counts) if count >= LEAST), key=lambda place: -counts[place])
    if not large and len(small) == 1:
        return result
    spare = sum(small) - most * len(small)  # of the hidden large ones together, if the small ones were all 4
    for number, place in enumerate(large, start=1):
        spare += counts[place]
        below = counts[large[number]] if number < len(large) else 0
        # by 2 above the next one: else it could be reported from hiding this many, and not fewer, what the small ones are
        if spare >= number * max(LEAST, below + 2 * (below > 0)):
            least = max(LEAST, (spare if number == 1 else below) // ROUND * ROUND)
            for one in large[:number]:
                result[one] = f"{LARGE}{least}"
            return result
    return [SOME if count else 0 for count in counts]


def reported_table(counts: np.ndarray, without: int) -> list[list[int | str]]:
    """Counts (clusters, labels) as they may be reported beside other tables of the same labels.

    `without` samples have no label; with them the sum of all is known. The other tables may tell how many samples have
    each label. Where this would tell a small label, or `without`, a label's number is hidden in every table.
    """
    totals = [*counts.sum(axis=0).tolist(), without]
    as_told = reported(totals)
    small = [total for total in totals if 0 < total < LEAST]
    hides = [not isinstance(cell, int) and total >= LEAST for cell, total in zip(as_told, totals, strict=True)]
    columns = []
    for hide, column in zip(hides, counts.T.tolist(), strict=False):
        if not hide:
            columns.append(reported(column))
        elif sum(hides) == 1:  # with the small ones it has a sum that is known
            columns.append(reported([*column, *small])[: len(column)])
        else:
            columns.append([SOME if count else 0 for count in column])
    return [list(row) for row in zip(*columns, strict=True)]


def any_hidden(values: Sequence) -> bool:
    """Whether any count, in whatever nesting, is hidden."""
    return any(any_hidden(one) if isinstance(one, list) else isinstance(one, str) for one in values)


def coarse(value: float, samples: int) -> float:
    """A share of `samples`, or a measure of their table, to the nearest multiple of what 10 samples make of it.

    >>> round(coarse(0.9875, 240), 4), coarse(0.98, 5)
    (1.0, 1.0)
    """
    step = min(2 * LEAST / samples, 1.0)
    return float(np.clip(round(value / step) * step, -1, 1))
