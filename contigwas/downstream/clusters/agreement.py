"""How well a partition of samples agrees with their labels: matched accuracy, NMI, ARI, with intervals over samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

NORMAL = 1.96  # standard errors on either side of a 95 % interval
METRICS = ("accuracy", "nmi", "ari")


@dataclass(frozen=True)
class Agreement:
    """The table of a partition against labels, and which cluster stands for which label.

    counts: int (clusters, labels); with `noise` its last row holds the samples without a cluster.
    matched: (clusters,) the label of each cluster, -1 where it has none: noise, and clusters beyond the labels.
    """

    counts: np.ndarray
    matched: np.ndarray
    noise: bool

    @classmethod
    def of(cls, partition: np.ndarray, labels: np.ndarray, identity: bool = False) -> "Agreement":
        """Of codes (samples,) from 0 on; -1 in `partition` is noise. With `identity`, code i stands for label i."""
        rows, columns = int(partition.max(initial=-1)) + 1, int(labels.max()) + 1
        counts = np.zeros((rows + 1, columns), dtype=np.int64)
        np.add.at(counts, (np.where(partition < 0, rows, partition), labels), 1)
        if identity:
            matched = np.arange(rows)
        else:
            matched = np.full(rows, -1)
            clusters, found = linear_sum_assignment(counts[:rows], maximize=True)
            matched[clusters] = found
        if not (partition < 0).any():
            return cls(counts[:rows], matched, noise=False)
        return cls(counts, np.append(matched, -1), noise=True)

    def measures(self) -> dict[str, tuple[float, float, float]]:
        """Value and 95 % interval of each of `METRICS`, by the jackknife that leaves one sample out (Efron 1982).

        Partition and matching stay: what varies is whom they are judged on. Drawn with replacement, a sample would
        stand beside themselves, a pair that always agrees. The interval is about the value without its bias of order
        1 / samples (that of NMI under no agreement), reaches to the value itself, and never lies below 0 as a whole,
        where the jackknife of an ARI near its least is too narrow.
        """
        cells = self.counts[self.counts > 0]
        formulas = {"accuracy": self._accuracies, "nmi": self._nmis, "ari": self._aris}
        result = {}
        for name, formula in formulas.items():
            value, *without = formula()
            result[name] = (
                float(value),
                *_interval(float(value), np.array(without), cells, -1.0 if name == "ari" else 0.0),
            )
        return result

    def _accuracies(self) -> np.ndarray:
        """The share of samples whose cluster stands for their label; noise is wrong. (1 + cells,): of everybody, then
        without one sample of each cell that has any."""
        right = np.zeros(self.counts.shape, dtype=np.int64)
        rows = np.flatnonzero(self.matched >= 0)
        right[rows, self.matched[rows]] = 1
        less = np.append(0, right[self.counts > 0])
        return ((right * self.counts).sum() - less) / np.maximum(self._samples(), 1)

    def _aris(self) -> np.ndarray:
        """Adjusted Rand index (1 + cells,), as of `_accuracies`. Hubert and Arabie, 1985, equation 5.

        1 where both put everyone together, or both put everyone apart.
        """
        both, rows, columns = self._sums(_pairs)
        chance = rows * columns / np.maximum(_pairs(self._samples()), 1)
        most = (rows + columns) / 2
        return np.where(most > chance, (both - chance) / np.where(most > chance, most - chance, 1), 1.0)

    def _nmis(self) -> np.ndarray:
        """Normalised mutual information (1 + cells,), as of `_accuracies`: over the mean of both entropies."""
        samples = np.maximum(self._samples(), 1)
        cells, rows, columns = (np.log(samples) - one / samples for one in self._sums(_times_log))
        mutual, both = np.maximum(rows + columns - cells, 0), (rows + columns) / 2
        return np.where(both > 1e-12, mutual / np.maximum(both, 1e-12), 1.0)

    def _samples(self) -> np.ndarray:
        """How many samples there are (1 + cells,)."""
        return self.counts.sum() - np.append(0, np.ones(int((self.counts > 0).sum()), dtype=np.int64))

    def _sums(self, formula: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The sums of `formula` of counts over cells, clusters and labels, each (1 + cells,)."""
        row, column = np.nonzero(self.counts)
        cells, clusters, labels = self.counts[row, column], self.counts.sum(axis=1), self.counts.sum(axis=0)
        of_sample = ((cells, cells), (clusters, clusters[row]), (labels, labels[column]))
        return tuple(formula(every).sum() - np.append(0, formula(own) - formula(own - 1)) for every, own in of_sample)


def _interval(value: float, without: np.ndarray, samples: np.ndarray, least: float) -> tuple[float, float]:
    """The 95 % interval of `value`, from values (cells,) without one of the `samples` (cells,) of each cell."""
    count = samples.sum()
    mean = np.average(without, weights=samples)
    half = NORMAL * np.sqrt((count - 1) / count * (samples * (without - mean) ** 2).sum())
    unbiased = count * value - (count - 1) * mean
    return float(max(min(unbiased - half, value), least)), float(min(max(unbiased + half, value, 0.0), 1.0))


def _pairs(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts, float) * (counts - 1) / 2


def _times_log(counts: np.ndarray) -> np.ndarray:
    return counts * np.log(np.maximum(counts, 1))
