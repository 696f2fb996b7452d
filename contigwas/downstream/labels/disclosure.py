"""Disclosure control for counts and scores of tested samples: no count of 1 to 4 is reported or can be derived."""

import numpy as np
import pandas as pd

from contigwas.downstream.labels.kinds import MULTILABEL, ORDINAL, REGRESSION, Target
from contigwas.privacy.small_counts import SMALL, SOME, any_hidden, coarse, suppress_small_counts

NUMBERS = ["value", "low", "high"]


def count_tested(kind: Target, values: np.ndarray) -> dict[str, int | str]:
    """Return the number of tested samples of each class or with each label, small counts hidden."""
    if kind.kind == REGRESSION:
        return {}
    if kind.kind == MULTILABEL:
        return {
            name: suppress_small_counts([int(column.sum()), int((1 - column).sum())])[0]
            for name, column in zip(kind.names, values.T, strict=True)
        }
    sizes = np.bincount(values[:, 0].astype(int), minlength=len(kind.classes))
    return dict(zip(kind.classes, suppress_small_counts(sizes), strict=True))


def reportable_scores(table: pd.DataFrame, kind: Target, counts: dict[str, int | str]) -> pd.DataFrame:
    """Return the scores that can be reported together with the `counts` of `count_tested`.

    If no count is hidden, the scores are unchanged. Otherwise all scores are rounded to multiples of the contribution
    of ten samples, because scores are ratios of counts. Scores of a class, label or threshold (`metric:name`) with few
    samples on either side are left out, because they describe only these samples. Which scores are left out depends on
    the reported `counts` only, so a missing row discloses nothing more.
    """
    if not any_hidden([*counts.values()]):
        return table
    kept = table[~table["metric"].str.partition(":")[2].isin(_names_with_few(kind, counts))].copy()
    maximum = np.where(kept["metric"] == "mae", max(len(kind.classes) - 1, 1), 1)
    for name in NUMBERS:
        rounded = [
            value if np.isnan(value) else coarse(value / scale, samples) * scale
            for value, scale, samples in zip(kept[name], maximum, kept["n_samples"], strict=True)
        ]
        kept[name] = np.array(rounded, float)
    return kept.reset_index(drop=True)


def _names_with_few(kind: Target, counts: dict[str, int | str]) -> list[str]:
    """Return classes, labels or thresholds (as in `metric:name`) that can have fewer than five samples on a side."""
    if kind.kind == MULTILABEL:
        return [name for name, count in counts.items() if isinstance(count, str)]
    many = np.array([count not in (0, SMALL, SOME) for count in counts.values()])
    if kind.kind == ORDINAL:
        sides = {f">={name}": (many[:place], many[place:]) for place, name in enumerate(kind.classes) if place}
    else:
        sides = {name: (many[[place]], np.delete(many, place)) for place, name in enumerate(kind.classes)}
    return [name for name, (one, other) in sides.items() if not (one.any() and other.any())]
