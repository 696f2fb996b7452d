"""Suppression of small counts: no count of 1 to 4 samples is reported, or can be derived from other counts."""

from collections.abc import Sequence

import numpy as np

MIN_COUNT = 5  # samples; a smaller count could identify a participant
ROUNDING = 10
SMALL, LARGE, SOME = f"<{MIN_COUNT}", ">=", ">0"


def hidden(count: int) -> int | str:
    """Return a count of samples, or `<5` if it is from 1 to 4.

    >>> hidden(3), hidden(0), hidden(12)
    ('<5', 0, 12)
    """
    return SMALL if 0 < count < MIN_COUNT else int(count)


def suppress_small_counts(counts: Sequence[int]) -> list[int | str]:
    """Return counts whose sum is public, with small counts suppressed so that they cannot be derived from the sum.

    The largest counts are suppressed too: as many as are needed so that the small counts could have any values from 1
    to 4. For a suppressed large count a lower bound is reported. This bound depends only on the sum and on the counts
    that are reported exactly, so it discloses nothing more. If suppressing all large counts is not enough, or if there
    are only several small counts, the result only shows which counts are not 0. A count cannot be protected if the sum
    itself discloses it (a single count, or as many samples as counts).

    >>> suppress_small_counts([237, 3]), suppress_small_counts([60, 20, 8, 0]), suppress_small_counts([90, 60, 20, 2])
    (['>=230', '<5'], [60, 20, 8, 0], ['>=80', 60, 20, '<5'])
    >>> suppress_small_counts([300, 300, 90, 2]), suppress_small_counts([6, 2]), suppress_small_counts([0, 4, 4])
    (['>=90', '>=90', 90, '<5'], ['>0', '>0'], [0, '>0', '>0'])
    """
    counts = [int(count) for count in counts]
    result = [hidden(count) for count in counts]
    small = [count for count in counts if 0 < count < MIN_COUNT]
    if not small:
        return result
    max_small = MIN_COUNT - 1
    large = sorted(
        (place for place, count in enumerate(counts) if count >= MIN_COUNT), key=lambda place: -counts[place]
    )
    if not large and len(small) == 1:
        return result
    margin = sum(small) - max_small * len(small)  # sum of the suppressed large counts if all small counts were 4
    for number, place in enumerate(large, start=1):
        margin += counts[place]
        next_count = counts[large[number]] if number < len(large) else 0
        # The margin of 2 above the next count prevents that the number of suppressed counts discloses the small ones.
        if margin >= number * max(MIN_COUNT, next_count + 2 * (next_count > 0)):
            bound = max(MIN_COUNT, (margin if number == 1 else next_count) // ROUNDING * ROUNDING)
            for one in large[:number]:
                result[one] = f"{LARGE}{bound}"
            return result
    return [SOME if count else 0 for count in counts]


def suppress_small_cells(counts: np.ndarray, unlabelled: int) -> list[list[int | str]]:
    """Return counts (clusters, labels) with small cells suppressed, given that other tables of these labels are public.

    `unlabelled` is the number of samples without a label; the sum of all samples is public. The other tables may
    disclose the total of each label. If this would disclose a small label, or a small `unlabelled`, the column of a
    label is suppressed in every table.
    """
    totals = [*counts.sum(axis=0).tolist(), unlabelled]
    suppressed_totals = suppress_small_counts(totals)
    small = [total for total in totals if 0 < total < MIN_COUNT]
    hide_column = [
        not isinstance(cell, int) and total >= MIN_COUNT for cell, total in zip(suppressed_totals, totals, strict=True)
    ]
    columns = []
    for hide, column in zip(hide_column, counts.T.tolist(), strict=False):
        if not hide:
            columns.append(suppress_small_counts(column))
        elif sum(hide_column) == 1:  # its sum together with the small totals is public
            columns.append(suppress_small_counts([*column, *small])[: len(column)])
        else:
            columns.append([SOME if count else 0 for count in column])
    return [list(row) for row in zip(*columns, strict=True)]


def any_hidden(values: Sequence) -> bool:
    """Return whether any count in nested lists is suppressed."""
    return any(any_hidden(one) if isinstance(one, list) else isinstance(one, str) for one in values)


def coarse(value: float, samples: int) -> float:
    """Return a share of `samples`, or a measure of their table, rounded to multiples of the share of 10 samples.

    >>> round(coarse(0.9875, 240), 4), coarse(0.98, 5)
    (1.0, 1.0)
    """
    step = min(2 * MIN_COUNT / samples, 1.0)
    return float(np.clip(round(value / step) * step, -1, 1))
