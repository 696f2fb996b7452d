"""Attributions added up over people as they come: nothing is held by person and feature."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from contigwas.explain.attribution import Attribution, relative

Z = 1.959964  # of a 95 % interval


@dataclass
class Sums:
    """Of one method and modality, over `features` as in the modality's file: sums of |a|, of its square, and of a.

    used: which features enter a network. people: of each person the sum of |a| over the features; error: relative.
    """

    absolute: np.ndarray
    square: np.ndarray
    signed: np.ndarray
    used: np.ndarray
    people: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    steps: int = 0

    @classmethod
    def of(cls, features: int) -> "Sums":
        """Of nobody."""
        return cls(*(np.zeros(features) for _ in range(3)), np.zeros(features, dtype=bool))

    def add(self, found: Attribution, columns: Tensor) -> None:
        """Add some people; column j of their values belongs to feature `columns[j]`, to none where that is -1."""
        there = columns >= 0
        where, values = columns[there].numpy(), found.values[:, there.to(found.values.device)].double()
        size = values.abs()
        for total, more in ((self.absolute, size), (self.square, size.square()), (self.signed, values)):
            total[where] += more.sum(dim=0).cpu().numpy()
        self.used[where] = True
        self.people += size.sum(dim=1).tolist()
        self.steps = max(self.steps, found.steps)

    def close(self, error: list[Tensor], difference: list[Tensor]) -> None:
        """Add the errors of the people of one network."""
        self.error += relative(torch.cat(error).double(), torch.cat(difference).double()).tolist()


def mean_and_interval(total: np.ndarray, square: np.ndarray, people: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over people of something that is not negative, and its 95 % interval (normal), from sums."""
    mean = total / people
    variance = np.maximum(square / people - mean**2, 0) * people / max(people - 1, 1)
    half = Z * np.sqrt(variance / people)
    return mean, np.maximum(mean - half, 0), mean + half


def by_feature(sums: Sums, method: str, modality: str, described: pd.DataFrame) -> pd.DataFrame:
    """One row a feature that some network uses, in the modality's order; `described`: feature name chrom pos.

    A network that does not use a feature attributes 0 to it.
    """
    people = len(sums.people)
    mean, low, high = mean_and_interval(sums.absolute, sums.square, people)
    figures = {"mean_abs": mean, "low": low, "high": high, "mean": sums.signed / people}
    table = described.assign(**figures, people=np.int64(people))
    table.insert(0, "modality", modality)
    table.insert(0, "method", method)
    return table[sums.used]


def by_modality(sums: Sums, method: str, modality: str) -> dict[str, object]:
    """The sum over features of mean |attribution|, with its interval over people, and the mean of a feature."""
    each, features = np.array(sums.people), int(sums.used.sum())
    total, low, high = mean_and_interval(each.sum(), (each**2).sum(), len(each))
    return {
        "method": method,
        "modality": modality,
        "features": features,
        "people": len(each),
        "sum_abs": total,
        "mean_abs": total / features,
        "low": low,
        "high": high,
    }


def completeness(sums: Sums, method: str, modality: str) -> dict[str, object]:
    """How far the sums of attributions are from the differences of the losses."""
    return {
        "method": method,
        "modality": modality,
        "people": len(sums.error),
        "mean_error": float(np.mean(sums.error)),
        "max_error": float(np.max(sums.error)),
    }
