"""What may be reported of tested samples by class: no count of 1 to 4, and no measure from which it could be worked out."""

import numpy as np
import pandas as pd

from contigwas.downstream.labels.kinds import MULTILABEL, ORDINAL, REGRESSION, Target
from contigwas.privacy.small_counts import SMALL, SOME, any_hidden, coarse, reported

NUMBERS = ["value", "low", "high"]


def counted(kind: Target, values: np.ndarray) -> dict[str, int | str]:
    """How many tested samples there are of each class, or with each label; no count of 1 to 4."""
    if kind.kind == REGRESSION:
        return {}
    if kind.kind == MULTILABEL:
        return {
            name: reported([int(column.sum()), int((1 - column).sum())])[0]
            for name, column in zip(kind.names, values.T, strict=True)
        }
    sizes = np.bincount(values[:, 0].astype(int), minlength=len(kind.classes))
    return dict(zip(kind.classes, reported(sizes), strict=True))


def told_scores(table: pd.DataFrame, kind: Target, counts: dict[str, int | str]) -> pd.DataFrame:
    """The scores as they may be reported beside the `counts` of `counted`: untouched where no count is hidden.

    Else every score is coarse, to what ten samples make of it, since scores are ratios of counts; and those of a class,
    label or threshold (`metric:name`) with few samples on a side are left out, since they are of these few alone. Which
    ones is read off `counts` as they are reported, so that a row that is absent tells nothing more.
    """
    if not any_hidden([*counts.values()]):
        return table
    kept = table[~table["metric"].str.partition(":")[2].isin(_of_few(kind, counts))].copy()
    most = np.where(kept["metric"] == "mae", max(len(kind.classes) - 1, 1), 1)
    for name in NUMBERS:
        rough = [
            value if np.isnan(value) else coarse(value / scale, samples) * scale
            for value, scale, samples in zip(kept[name], most, kept["n_samples"], strict=True)
        ]
        kept[name] = np.array(rough, float)
    return kept.reset_index(drop=True)


def _of_few(kind: Target, counts: dict[str, int | str]) -> list[str]:
    """The names in `metric:name` of classes, labels or thresholds that may have fewer than five samples on a side."""
    if kind.kind == MULTILABEL:
        return [name for name, count in counts.items() if isinstance(count, str)]
    many = np.array([count not in (0, SMALL, SOME) for count in counts.values()])
    if kind.kind == ORDINAL:
        sides = {f">={name}": (many[:place], many[place:]) for place, name in enumerate(kind.classes) if place}
    else:
        sides = {name: (many[[place]], np.delete(many, place)) for place, name in enumerate(kind.classes)}
    return [name for name, (one, other) in sides.items() if not (one.any() and other.any())]
