"""Partitions of samples: k-means with k from a criterion, HDBSCAN, and how stable they are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

STARTS = 10  # of k-means: the best is taken
SILHOUETTE_SAMPLES = 5000  # at most, drawn at random: its time grows with their square
RESAMPLES, KEPT = 20, 0.8  # how often, and on which share of the samples, clusters are found again
SEEDS = 5
# HDBSCAN's time grows with the square of the samples: it clusters no more than these, and finds clusters again in these
HDBSCAN_SAMPLES, HDBSCAN_AGAIN = 50_000, 10_000


@dataclass(frozen=True)
class Partition:
    """clusters: int (samples,), the largest cluster 0, noise -1; stability: ARI of it with those found again."""

    clusters: np.ndarray
    stability: np.ndarray

    @property
    def sizes(self) -> list[int]:
        """Samples of each cluster."""
        return np.bincount(self.clusters[self.clusters >= 0]).tolist()

    @property
    def noise(self) -> int:
        """Samples without a cluster."""
        return int((self.clusters < 0).sum())


def silhouettes(features: np.ndarray, largest: int, seed: int) -> dict[int, float]:
    """The mean silhouette of k-means by k = 2 … `largest`, of `features` (samples, features).

    Of at most `SILHOUETTE_SAMPLES` samples, the same for every k; -1 where they are all in one cluster.
    """
    some = drawn(len(features), SILHOUETTE_SAMPLES, np.random.default_rng(seed))
    result = {}
    for k in range(2, largest + 1):
        found = kmeans(features, k, seed)[some]
        result[k] = float(silhouette_score(features[some], found)) if len(np.unique(found)) > 1 else -1.0
    return result


def drawn(samples: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """int (min(samples, count),): `count` of `samples` at random, in their order; all where there are no more."""
    return np.sort(rng.choice(samples, count, replace=False)) if samples > count else np.arange(samples)


def kmeans(features: np.ndarray, k: int, seed: int) -> np.ndarray:
    """int (samples,): the best of several starts."""
    return KMeans(k, n_init=STARTS, random_state=seed).fit_predict(features)


def hdbscan(features: np.ndarray, min_cluster_size: int) -> np.ndarray:
    """int (samples,), noise -1."""
    return HDBSCAN(min_cluster_size=min_cluster_size, copy=True).fit_predict(features)


def kept(samples: int) -> int:
    """How many of `samples` are in a resample."""
    return max(int(KEPT * samples), 2)


def partition(
    features: np.ndarray, find: Callable[[np.ndarray], np.ndarray], seed: int, most: int | None = None
) -> Partition:
    """What `find` makes of `features` (samples, features), and of random 80 % of the samples, compared on those.

    The 80 % are of at most `most` samples, drawn once.
    """
    found = by_size(find(features))
    rng = np.random.default_rng(seed)
    pool = drawn(len(features), most or len(features), rng)
    again = []
    for _ in range(RESAMPLES):
        some = pool[np.sort(rng.choice(len(pool), kept(len(pool)), replace=False))]
        again.append(adjusted_rand_score(found[some], find(features[some])))
    return Partition(found, np.array(again))


def between_seeds(features: np.ndarray, k: int, seed: int) -> np.ndarray:
    """ARI of each pair of k-means from one start each."""
    found = [KMeans(k, n_init=1, random_state=seed + one).fit_predict(features) for one in range(SEEDS)]
    return np.array([adjusted_rand_score(found[i], found[j]) for i in range(SEEDS) for j in range(i)])


def by_size(clusters: np.ndarray) -> np.ndarray:
    """The same clusters, numbered from the largest on."""
    number = np.full(len(clusters), -1)
    names, counts = np.unique(clusters[clusters >= 0], return_counts=True)
    for place, one in enumerate(names[np.argsort(-counts, kind="stable")]):
        number[clusters == one] = place
    return number
