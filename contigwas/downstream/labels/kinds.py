"""What is predicted, by kind, and when a network can be taught it. Neither torch nor scikit-learn is imported."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contigwas.runtime.atomic_files import PathLike

BINARY, MULTICLASS, ORDINAL, MULTILABEL, REGRESSION = "binary", "multiclass", "ordinal", "multilabel", "regression"


@dataclass(frozen=True)
class Target:
    """What a task predicts.

    kind; names: of the columns, of which all but a multilabel task have one; classes: in their order, of kinds that
    have them. Values of samples are float (samples, columns): the place of the class, 0 or 1 of each label, or a
    measurement. What is predicted is float (samples, width): of binary and multilabel the probability of each column, of
    multiclass that of each class, of ordinal a grade between classes, of regression a measurement.
    """

    kind: str
    names: tuple[str, ...]
    classes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Numbers that are predicted of a sample."""
        return len(self.classes) if self.kind == MULTICLASS else len(self.names)

    @property
    def is_number(self) -> bool:
        """Whether a number is fitted by least squares: a measurement, or a grade."""
        return self.kind in (ORDINAL, REGRESSION)

    def lacks(self, values: np.ndarray) -> str:
        """What samples with `values` (samples, columns) lack of what a task has; empty where they lack nothing."""
        if self.kind == REGRESSION:
            return "all of the same measurement" if np.ptp(values) == 0 else ""
        if self.kind == MULTILABEL:
            constant = int((np.ptp(values, axis=0) == 0).sum())
            return f"{constant} of the {len(self.names)} labels are constant" if constant else ""
        there = len(np.unique(values))
        return "" if there == len(self.classes) else f"{there} of the {len(self.classes)} classes are there"

    def teaches_nothing(self, values: np.ndarray) -> str:
        """Why nothing can be learned from samples with `values` (samples, columns); empty where it can.

        A grade is fitted as a number, and can be learned where some grades are absent.
        """
        if self.kind == ORDINAL:
            return "all of the same grade" if np.ptp(values) == 0 else ""
        return self.lacks(values)

    def rounded(self, found: np.ndarray) -> np.ndarray:
        """The class of what was predicted: int (samples,), of multilabel (samples, labels).

        Of a grade the nearest one, halves upwards; of probabilities the likeliest class, or above a half.
        """
        if self.kind == ORDINAL:
            return np.floor(found[:, 0] + 0.5).clip(0, len(self.classes) - 1).astype(np.int64)
        if self.kind == MULTICLASS:
            return found.argmax(axis=1)
        above = (found > 0.5).astype(np.int64)
        return above if self.kind == MULTILABEL else above[:, 0]

    def weights(self, values: np.ndarray) -> np.ndarray:
        """By which samples count so that classes weigh alike: float (samples, columns), 1 on average."""
        result = np.ones_like(values)
        if self.kind == REGRESSION:
            return result
        for column in range(values.shape[1]):
            _, place, count = np.unique(values[:, column], return_inverse=True, return_counts=True)
            result[:, column] = len(values) / (len(count) * count[place])
        return result


def read_target(path: PathLike) -> tuple[Target, Mapping[str, object]]:
    """What `write_labels` says is predicted, and what it counted."""
    said = json.loads(Path(path).read_text())
    return Target(said["kind"], tuple(said["names"]), tuple(said["classes"])), said["counts"]
