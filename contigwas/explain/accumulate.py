"""Attributions added up over samples as they come: nothing is held by sample and feature."""

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

    used: which features enter a network. samples: of each sample the sum of |a| over the features; error: relative.
    """

    absolute: np.ndarray
    square: np.ndarray
    signed: np.ndarray
    used: np.ndarray
    samples: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    steps: int = 0

    @classmethod
    def of(cls, features: int) -> "Sums":
        """Of nobody."""
        return cls(*(np.zeros(features) for _ in range(3)), np.zeros(features, dtype=bool))

    def add(self, found: Attribution, columns: Tensor) -> None:
        """Add some samples; column j of their values belongs to feature `columns[j]`, to none where that is -1."""
        there = columns >= 0
        where, values = columns[there].numpy(), found.values[:, there.to(found.values.device)].double()
        size = values.abs()
        for total, more in ((self.absolute, size), (self.square, size.square()), (self.signed, values)):
            total[where] += more.sum(dim=0).cpu().numpy()
        self.used[where] = True
        self.samples += size.sum(dim=1).tolist()
        self.steps = max(self.steps, found.steps)

    def close(self, error: list[Tensor], difference: list[Tensor]) -> None:
        """Add the errors of the samples of one network."""
        self.error += relative(torch.cat(error).double(), torch.cat(difference).double()).tolist()


def mean_and_interval(total: np.ndarray, square: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over samples of something that is not negative, and its 95 % interval (normal), from sums."""
    mean = total / samples
    variance = np.maximum(square / samples - mean**2, 0) * samples / max(samples - 1, 1)
    half = Z * np.sqrt(variance / samples)
    return mean, np.maximum(mean - half, 0), mean + half


def by_feature(sums: Sums, method: str, modality: str, described: pd.DataFrame) -> pd.DataFrame:
    """One row a feature that some network uses, in the modality's order; `described`: feature name chrom pos.

    A network that does not use a feature attributes 0 to it.
    """
    samples = len(sums.samples)
    mean, low, high = mean_and_interval(sums.absolute, sums.square, samples)
    figures = {"mean_abs": mean, "low": low, "high": high, "mean": sums.signed / samples}
    table = described.assign(**figures, samples=np.int64(samples))
    table.insert(0, "modality", modality)
    table.insert(0, "method", method)
    return table[sums.used]


def by_modality(sums: Sums, method: str, modality: str) -> dict[str, object]:
    """The sum over features of mean |attribution|, with its interval over samples, and the mean of a feature."""
    each, features = np.array(sums.samples), int(sums.used.sum())
    total, low, high = mean_and_interval(each.sum(), (each**2).sum(), len(each))
    return {
        "method": method,
        "modality": modality,
        "features": features,
        "n_samples": len(each),
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
        "n_samples": len(sums.error),
        "mean_error": float(np.mean(sums.error)),
        "max_error": float(np.max(sums.error)),
    }
