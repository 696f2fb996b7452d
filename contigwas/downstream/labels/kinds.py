"""Targets of prediction by kind, and checks that they can be learned. Imports neither torch nor scikit-learn."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contigwas.runtime.atomic_files import PathLike

BINARY, MULTICLASS, ORDINAL, MULTILABEL, REGRESSION = "binary", "multiclass", "ordinal", "multilabel", "regression"


@dataclass(frozen=True)
class Target:
    """Target of a task.

    kind: binary, multiclass, ordinal, multilabel or regression.
    names: columns of the target, more than one only for multilabel.
    classes: names of the classes in order; empty for multilabel and regression.

    Values of samples are float (samples, columns): the number of the class, 0 or 1 for each label, or a measurement.
    Predictions are float (samples, width): the probability of each column (binary, multilabel) or of each class
    (multiclass), a grade, which can lie between classes (ordinal), or a measurement (regression).
    """

    kind: str
    names: tuple[str, ...]
    classes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of predicted values per sample."""
        return len(self.classes) if self.kind == MULTICLASS else len(self.names)

    @property
    def is_number(self) -> bool:
        """Whether a number (measurement or grade) is fitted by least squares."""
        return self.kind in (ORDINAL, REGRESSION)

    def missing_values(self, values: np.ndarray) -> str:
        """Return which values of the target are missing in `values` (samples, columns); empty if none."""
        if self.kind == REGRESSION:
            return "all measurements are equal" if np.ptp(values) == 0 else ""
        if self.kind == MULTILABEL:
            constant = int((np.ptp(values, axis=0) == 0).sum())
            return f"{constant} of the {len(self.names)} labels are constant" if constant else ""
        present = len(np.unique(values))
        return "" if present == len(self.classes) else f"only {present} of the {len(self.classes)} classes are present"

    def why_not_learnable(self, values: np.ndarray) -> str:
        """Return why the target cannot be learned from `values` (samples, columns); empty if it can be.

        Grades are fitted as numbers, so they can be learned even if some grades are missing.
        """
        if self.kind == ORDINAL:
            return "all grades are equal" if np.ptp(values) == 0 else ""
        return self.missing_values(values)

    def rounded(self, predicted: np.ndarray) -> np.ndarray:
        """Return the predicted class: int (samples,), for multilabel (samples, labels).

        It is the nearest grade (halves are rounded up), the most probable class, or 1 for a probability above 0.5.
        """
        if self.kind == ORDINAL:
            return np.floor(predicted[:, 0] + 0.5).clip(0, len(self.classes) - 1).astype(np.int64)
        if self.kind == MULTICLASS:
            return predicted.argmax(axis=1)
        above = (predicted > 0.5).astype(np.int64)
        return above if self.kind == MULTILABEL else above[:, 0]

    def weights(self, values: np.ndarray) -> np.ndarray:
        """Return weights that give all classes the same total weight: float (samples, columns), mean 1."""
        result = np.ones_like(values)
        if self.kind == REGRESSION:
            return result
        for column in range(values.shape[1]):
            _, place, count = np.unique(values[:, column], return_inverse=True, return_counts=True)
            result[:, column] = len(values) / (len(count) * count[place])
        return result


def read_target(path: PathLike) -> tuple[Target, Mapping[str, object]]:
    """Return the target and the counts of left-out samples from the JSON file of `write_labels`."""
    content = json.loads(Path(path).read_text())
    return Target(content["kind"], tuple(content["names"]), tuple(content["classes"])), content["counts"]
