"""How well a partition of people agrees with their labels: matched accuracy, NMI, ARI, with intervals over people."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

RESAMPLES = 2000
CHUNK = 50  # resamples that are held at once
METRICS = ("accuracy", "nmi", "ari")


@dataclass(frozen=True)
class Agreement:
    """The table of a partition against labels, and which cluster stands for which label.

    counts: int (clusters, labels); with `noise` its last row holds the people without a cluster.
    matched: (clusters,) the label of each cluster, -1 where it has none: noise, and clusters beyond the labels.
    """

    counts: np.ndarray
    matched: np.ndarray
    noise: bool

    @classmethod
    def of(cls, partition: np.ndarray, labels: np.ndarray, identity: bool = False) -> "Agreement":
        """Of codes (people,) from 0 on; -1 in `partition` is noise. With `identity`, code i stands for label i."""
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

    def measures(self, seed: int) -> dict[str, tuple[float, float, float]]:
        """Value and 95 % percentile interval of each of `METRICS` over resampled people.

        Partition and matching stay: what is resampled is whom they are judged on. Drawing people with replacement is a
        multinomial draw of the table's cells.
        """
        people = int(self.counts.sum())
        rng, shares = np.random.default_rng(seed), self.counts.ravel() / people
        formulas = {"accuracy": self._accuracy, "nmi": nmi, "ari": ari}
        drawn = {name: [] for name in formulas}
        for start in range(0, RESAMPLES, CHUNK):
            tables = rng.multinomial(people, shares, min(CHUNK, RESAMPLES - start)).reshape(-1, *self.counts.shape)
            for name, formula in formulas.items():
                drawn[name].append(formula(tables))
        result = {}
        for name, formula in formulas.items():
            low, high = np.quantile(np.concatenate(drawn[name]), [0.025, 0.975])
            result[name] = float(formula(self.counts[None])[0]), float(low), float(high)
        return result

    def _accuracy(self, tables: np.ndarray) -> np.ndarray:
        """The share of people (tables,) whose cluster stands for their label; noise is wrong."""
        rows = np.flatnonzero(self.matched >= 0)
        return tables[:, rows, self.matched[rows]].sum(axis=1) / tables.sum(axis=(1, 2))


def ari(tables: np.ndarray) -> np.ndarray:
    """Adjusted Rand index (tables,) of counts (tables, clusters, labels). Hubert and Arabie, 1985, equation 5.

    1 where both put everyone together, or both put everyone apart.
    """
    tables = np.asarray(tables, float)
    both = _pairs(tables).sum(axis=(1, 2))
    rows, columns = _pairs(tables.sum(axis=2)).sum(axis=1), _pairs(tables.sum(axis=1)).sum(axis=1)
    chance = rows * columns / np.maximum(_pairs(tables.sum(axis=(1, 2))), 1)
    most = (rows + columns) / 2
    return np.where(most > chance, (both - chance) / np.where(most > chance, most - chance, 1), 1.0)


def nmi(tables: np.ndarray) -> np.ndarray:
    """Normalised mutual information (tables,) of counts (tables, clusters, labels): over the mean of both entropies."""
    shares = np.asarray(tables, float) / tables.sum(axis=(1, 2), keepdims=True)
    rows, columns = (_entropy(shares.sum(axis=axis)) for axis in (2, 1))
    mutual = np.maximum(rows + columns - _entropy(shares.reshape(len(shares), -1)), 0)
    both = (rows + columns) / 2
    return np.where(both > 1e-12, mutual / np.maximum(both, 1e-12), 1.0)


def _pairs(counts: np.ndarray) -> np.ndarray:
    return counts * (counts - 1) / 2


def _entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
