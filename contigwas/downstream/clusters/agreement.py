"""Agreement of a partition of samples with labels: matched accuracy, NMI and ARI, with jackknife intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

NORMAL = 1.96  # standard errors on either side of a 95 % interval
METRICS = ("accuracy", "nmi", "ari")


@dataclass(frozen=True)
class Agreement:
    """Contingency table of clusters and labels, and the label to which each cluster is matched.

    counts: int (clusters, labels); with `noise` the last row counts the samples without a cluster.
    matched: int (clusters,), the label of each cluster; -1 for noise and for unmatched clusters.
    """

    counts: np.ndarray
    matched: np.ndarray
    noise: bool

    @classmethod
    def of(cls, partition: np.ndarray, labels: np.ndarray, identity: bool = False) -> "Agreement":
        """Return the agreement of two arrays of codes (samples,) that start at 0; -1 in `partition` is noise.

        Clusters are matched to labels by the Hungarian algorithm. With `identity`, code i is matched to label i.
        """
        rows, columns = int(partition.max(initial=-1)) + 1, int(labels.max()) + 1
        counts = np.zeros((rows + 1, columns), dtype=np.int64)
        np.add.at(counts, (np.where(partition < 0, rows, partition), labels), 1)
        if identity:
            matched = np.arange(rows)
        else:
            matched = np.full(rows, -1)
            clusters, label = linear_sum_assignment(counts[:rows], maximize=True)
            matched[clusters] = label
        if not (partition < 0).any():
            return cls(counts[:rows], matched, noise=False)
        return cls(counts, np.append(matched, -1), noise=True)

    def measures(self) -> dict[str, tuple[float, float, float]]:
        """Return value, low and high of each of `METRICS`: 95 % intervals of the leave-one-out jackknife (Efron 1982).

        Partition and matching are fixed; only the samples on which they are evaluated vary. A bootstrap would not work:
        two copies of one sample are a pair that always agrees. The interval is centred at the bias-corrected value
        (order 1 / samples, as of NMI without agreement) and extended to include the value itself. Its upper end is at
        least 0, because the jackknife is too narrow for an ARI near its minimum.
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
        """Return the share of samples whose cluster is matched to their label; noise counts as wrong.

        Shape (1 + cells,): the value of all samples, then the values without one sample of each cell that is not 0.
        """
        right = np.zeros(self.counts.shape, dtype=np.int64)
        rows = np.flatnonzero(self.matched >= 0)
        right[rows, self.matched[rows]] = 1
        less = np.append(0, right[self.counts > 0])
        return ((right * self.counts).sum() - less) / np.maximum(self._samples(), 1)

    def _aris(self) -> np.ndarray:
        """Return the adjusted Rand index, shape as of `_accuracies` (Hubert and Arabie 1985, equation 5).

        It is 1 if both partitions have one cluster, or both have only clusters of one sample.
        """
        both, rows, columns = self._sums(_pairs)
        chance = rows * columns / np.maximum(_pairs(self._samples()), 1)
        maximum = (rows + columns) / 2
        return np.where(maximum > chance, (both - chance) / np.where(maximum > chance, maximum - chance, 1), 1.0)

    def _nmis(self) -> np.ndarray:
        """Return the mutual information divided by the mean of both entropies, shape as of `_accuracies`."""
        samples = np.maximum(self._samples(), 1)
        cells, rows, columns = (np.log(samples) - one / samples for one in self._sums(_times_log))
        mutual, both = np.maximum(rows + columns - cells, 0), (rows + columns) / 2
        return np.where(both > 1e-12, mutual / np.maximum(both, 1e-12), 1.0)

    def _samples(self) -> np.ndarray:
        """Return the number of samples, shape as of `_accuracies`."""
        return self.counts.sum() - np.append(0, np.ones(int((self.counts > 0).sum()), dtype=np.int64))

    def _sums(self, formula: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the sums of `formula(counts)` over cells, over clusters and over labels, each (1 + cells,)."""
        row, column = np.nonzero(self.counts)
        cells, clusters, labels = self.counts[row, column], self.counts.sum(axis=1), self.counts.sum(axis=0)
        of_sample = ((cells, cells), (clusters, clusters[row]), (labels, labels[column]))
        return tuple(formula(every).sum() - np.append(0, formula(own) - formula(own - 1)) for every, own in of_sample)


def _interval(value: float, without: np.ndarray, samples: np.ndarray, minimum: float) -> tuple[float, float]:
    """Return the 95 % interval of `value`. `without` (cells,) are the values without one of `samples` (cells,)."""
    count = samples.sum()
    mean = np.average(without, weights=samples)
    half = NORMAL * np.sqrt((count - 1) / count * (samples * (without - mean) ** 2).sum())
    unbiased = count * value - (count - 1) * mean
    return float(max(min(unbiased - half, value), minimum)), float(min(max(unbiased + half, value, 0.0), 1.0))


def _pairs(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts, float) * (counts - 1) / 2


def _times_log(counts: np.ndarray) -> np.ndarray:
    return counts * np.log(np.maximum(counts, 1))
