"""Partitions of samples by k-means and HDBSCAN, the choice of k, and the stability of partitions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

STARTS = 10  # of k-means; the best is used
SILHOUETTE_SAMPLES = 5000  # maximum, drawn at random: time grows with the square
RESAMPLES, RESAMPLE_SHARE = 20, 0.8
SEEDS = 5
# time of HDBSCAN grows with the square of the samples: maxima for clustering, and for clustering of resamples
HDBSCAN_SAMPLES, HDBSCAN_RESAMPLE = 50_000, 10_000


@dataclass(frozen=True)
class Partition:
    """A partition of samples.

    clusters: int (samples,), 0 is the largest cluster, -1 is noise; stability: float (resamples,), ARI with the
    clusters of each resample.
    """

    clusters: np.ndarray
    stability: np.ndarray

    @property
    def sizes(self) -> list[int]:
        """Number of samples of each cluster."""
        return np.bincount(self.clusters[self.clusters >= 0]).tolist()

    @property
    def noise(self) -> int:
        """Number of samples without a cluster."""
        return int((self.clusters < 0).sum())


def silhouettes(features: np.ndarray, k_max: int, seed: int) -> dict[int, float]:
    """Return the mean silhouette of k-means for k = 2 … `k_max`; `features` is (samples, features).

    The mean is over at most `SILHOUETTE_SAMPLES` samples, the same for every k. It is -1 if these are in one cluster.
    """
    some = subsample(len(features), SILHOUETTE_SAMPLES, np.random.default_rng(seed))
    result = {}
    for k in range(2, k_max + 1):
        clusters = kmeans(features, k, seed)[some]
        result[k] = float(silhouette_score(features[some], clusters)) if len(np.unique(clusters)) > 1 else -1.0
    return result


def subsample(samples: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ascending positions of at most `count` of `samples`, drawn at random without replacement."""
    return np.sort(rng.choice(samples, count, replace=False)) if samples > count else np.arange(samples)


def kmeans(features: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return int clusters (samples,) of k-means, the best of several starts."""
    return KMeans(k, n_init=STARTS, random_state=seed).fit_predict(features)


def hdbscan(features: np.ndarray, min_cluster_size: int) -> np.ndarray:
    """Return int clusters (samples,) of HDBSCAN; -1 is noise."""
    return HDBSCAN(min_cluster_size=min_cluster_size, copy=True).fit_predict(features)


def resample_size(samples: int) -> int:
    """Return the number of `samples` in a resample."""
    return max(int(RESAMPLE_SHARE * samples), 2)


def partition(
    features: np.ndarray, cluster: Callable[[np.ndarray], np.ndarray], seed: int, max_resampled: int | None = None
) -> Partition:
    """Cluster `features` (samples, features) by `cluster`, and again in random 80 % of the samples for the stability.

    The resamples are drawn from at most `max_resampled` samples, which are drawn once.
    """
    clusters = by_size(cluster(features))
    rng = np.random.default_rng(seed)
    pool = subsample(len(features), max_resampled or len(features), rng)
    stability = []
    for _ in range(RESAMPLES):
        some = pool[np.sort(rng.choice(len(pool), resample_size(len(pool)), replace=False))]
        stability.append(adjusted_rand_score(clusters[some], cluster(features[some])))
    return Partition(clusters, np.array(stability))


def between_seeds(features: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return the ARI of each pair of k-means partitions from different seeds, with one start each."""
    clusters = [KMeans(k, n_init=1, random_state=seed + one).fit_predict(features) for one in range(SEEDS)]
    return np.array([adjusted_rand_score(clusters[i], clusters[j]) for i in range(SEEDS) for j in range(i)])


def by_size(clusters: np.ndarray) -> np.ndarray:
    """Return the same clusters, numbered by decreasing size."""
    number = np.full(len(clusters), -1)
    names, counts = np.unique(clusters[clusters >= 0], return_counts=True)
    for place, one in enumerate(names[np.argsort(-counts, kind="stable")]):
        number[clusters == one] = place
    return number
