"""Sums of attributions over samples, so that no array of samples x features is held."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from contigwas.explain.attribution import Attribution, relative_error

Z = 1.959964  # normal quantile of a 95 % interval


@dataclass
class Sums:
    """Sums of one method and modality over samples, per feature of the modality's file.

    Attributes:
        absolute, square, signed: sums of |a|, a² and a (features,), where a is the attribution in nats.
        used: whether a network uses the feature, bool (features,).
        samples: of each sample, the sum of |a| over features.
        error: of each sample, the relative completeness error.
        steps: the maximum number of integration steps.
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
        """Return sums over no sample."""
        return cls(*(np.zeros(features) for _ in range(3)), np.zeros(features, dtype=bool))

    def add(self, found: Attribution, columns: Tensor) -> None:
        """Add samples; column j of their values belongs to feature `columns[j]`, or to none if that is -1."""
        present = columns >= 0
        features, values = columns[present].numpy(), found.values[:, present.to(found.values.device)].double()
        magnitude = values.abs()
        for total, term in ((self.absolute, magnitude), (self.square, magnitude.square()), (self.signed, values)):
            total[features] += term.sum(dim=0).cpu().numpy()
        self.used[features] = True
        self.samples += magnitude.sum(dim=1).tolist()
        self.steps = max(self.steps, found.steps)

    def close(self, error: list[Tensor], difference: list[Tensor]) -> None:
        """Add the relative errors of the samples of one network."""
        self.error += relative_error(torch.cat(error).double(), torch.cat(difference).double()).tolist()


def mean_and_interval(total: np.ndarray, square: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean over samples of a non-negative quantity and its normal 95 % interval, from sums."""
    mean = total / samples
    variance = np.maximum(square / samples - mean**2, 0) * samples / max(samples - 1, 1)
    half = Z * np.sqrt(variance / samples)
    return mean, np.maximum(mean - half, 0), mean + half


def by_feature(sums: Sums, method: str, modality: str, described: pd.DataFrame) -> pd.DataFrame:
    """Return one row per feature that a network uses, in the modality's order; `described` has feature name chrom pos.

    A network that does not use a feature has an attribution of 0 to it.
    """
    samples = len(sums.samples)
    mean, low, high = mean_and_interval(sums.absolute, sums.square, samples)
    statistics = {"mean_abs": mean, "low": low, "high": high, "mean": sums.signed / samples}
    table = described.assign(**statistics, n_samples=np.int64(samples))
    table.insert(0, "modality", modality)
    table.insert(0, "method", method)
    return table[sums.used]


def by_modality(sums: Sums, method: str, modality: str) -> dict[str, object]:
    """Return the sum over features of the mean |attribution|, its interval over samples, and the mean per feature."""
    totals, features = np.array(sums.samples), int(sums.used.sum())
    total, low, high = mean_and_interval(totals.sum(), (totals**2).sum(), len(totals))
    return {
        "method": method,
        "modality": modality,
        "features": features,
        "n_samples": len(totals),
        "sum_abs": total,
        "mean_abs": total / features,
        "low": low,
        "high": high,
    }


def completeness(sums: Sums, method: str, modality: str) -> dict[str, object]:
    """Return the relative differences between the sums of attributions and the differences of the losses."""
    return {
        "method": method,
        "modality": modality,
        "n_samples": len(sums.error),
        "mean_error": float(np.mean(sums.error)),
        "max_error": float(np.max(sums.error)),
    }
