"""Agreement of clusters with labels: matching against all permutations, measures against their definitions."""

from itertools import combinations, permutations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from contigwas.downstream.clusters.agreement import Agreement


@pytest.fixture(params=range(4))
def pair(request):
    """A partition and labels that agree somewhat; the second and fourth have more clusters than labels, or noise."""
    rng = np.random.default_rng(request.param)
    labels = rng.integers(0, 3, 80)
    clusters = np.where(rng.random(80) < 0.6, (labels + 1) % 3, rng.integers(0, 5 if request.param % 2 else 3, 80))
    if request.param > 1:
        clusters[rng.random(80) < 0.2] = -1
    return clusters, labels


def test_the_matching_is_the_best_of_all(pair):
    clusters, labels = pair
    best = max(
        sum(((clusters == one) & (labels == label)).sum() for one, label in zip(order, range(3), strict=True))
        for order in permutations(range(clusters.max() + 1), 3)
    )
    assert Agreement.of(clusters, labels).measures()["accuracy"][0] == pytest.approx(best / 80)


def test_noise_is_wrong_and_counted():
    clusters, labels = np.array([0, 0, 1, 1, -1, -1]), np.array([0, 0, 1, 1, 0, 1])
    found = Agreement.of(clusters, labels)
    assert found.noise and found.counts.tolist() == [[2, 0], [0, 2], [1, 1]] and found.matched.tolist() == [0, 1, -1]
    assert found.measures()["accuracy"][0] == pytest.approx(4 / 6)


def test_the_rand_index_counts_pairs(pair):
    clusters, labels = pair
    pairs = [(clusters[i] == clusters[j], labels[i] == labels[j]) for i, j in combinations(range(80), 2)]
    together = sum(a and b for a, b in pairs)
    first, second = (sum(one[side] for one in pairs) for side in (0, 1))
    chance = first * second / len(pairs)
    expected = (together - chance) / ((first + second) / 2 - chance)
    found = Agreement.of(clusters, labels)
    assert found.measures()["ari"][0] == pytest.approx(expected)
    assert expected == pytest.approx(adjusted_rand_score(labels, clusters))


def test_mutual_information_is_of_its_definition(pair):
    clusters, labels = pair
    mutual, entropies = 0.0, [0.0, 0.0]
    for one in set(clusters):
        here = (clusters == one).mean()
        entropies[0] -= here * np.log(here)
        for label in set(labels):
            both = ((clusters == one) & (labels == label)).mean()
            mutual += both * np.log(both / here / (labels == label).mean()) if both else 0.0
    for label in set(labels):
        entropies[1] -= (labels == label).mean() * np.log((labels == label).mean())
    found = Agreement.of(clusters, labels).measures()["nmi"][0]
    assert found == pytest.approx(2 * mutual / sum(entropies))
    assert found == pytest.approx(normalized_mutual_info_score(labels, clusters))


def test_one_cluster_agrees_with_nothing():
    found = Agreement.of(np.zeros(6, int), np.array([0, 0, 0, 1, 1, 1])).measures()
    assert found["ari"][0] == 0 and found["nmi"][0] == 0


def test_intervals_are_those_of_the_jackknife_written_out(pair):
    """Everybody left out in turn, with the same matching."""
    clusters, labels = pair
    found = Agreement.of(clusters, labels)
    stands_for = np.where(clusters < 0, -1, found.matched[clusters])
    scores = {
        "accuracy": lambda some: (stands_for[some] == labels[some]).mean(),
        "ari": lambda some: adjusted_rand_score(labels[some], clusters[some]),
        "nmi": lambda some: normalized_mutual_info_score(labels[some], clusters[some]),
    }
    for metric, score in scores.items():
        value, without = score(np.arange(80)), [score(np.delete(np.arange(80), one)) for one in range(80)]
        half = 1.96 * np.sqrt(79 / 80 * np.square(without - np.mean(without)).sum())
        unbiased = 80 * value - 79 * np.mean(without)
        expected = (max(unbiased - half, -1.0 if metric == "ari" else 0.0), min(unbiased + half, 1.0))
        assert found.measures()[metric] == pytest.approx((value, *expected), abs=1e-9)


def drawn(clusters, labels, agreement, samples):
    """Random clusters and labels; a share `agreement` of the samples is in the cluster of their label."""
    rng = np.random.default_rng([clusters, labels, samples, round(10 * agreement)])
    for _ in range(200):
        label, cluster = rng.integers(0, labels, samples), rng.integers(0, clusters, samples)
        yield Agreement.of(np.where(rng.random(samples) < agreement, label, cluster), label)


@pytest.mark.parametrize(("clusters", "labels"), [(2, 2), (3, 3), (5, 4), (8, 6)])
@pytest.mark.parametrize("samples", [100, 300])
def test_clusters_that_know_nothing_of_the_labels_seldom_have_an_interval_above_chance(clusters, labels, samples):
    """With samples drawn with replacement 78 to 100 of 100 intervals lie above 0."""
    found = [one.measures() for one in drawn(clusters, labels, 0.0, samples)]
    for metric in ("ari", "nmi"):
        assert all(low <= value <= high for value, low, high in (one[metric] for one in found))
        assert np.mean([one[metric][1] > 0 for one in found]) <= 0.05
        assert all(one[metric][2] >= 0 for one in found)


@pytest.mark.parametrize(("clusters", "labels"), [(2, 2), (3, 3), (5, 4)])
@pytest.mark.parametrize("agreement", [0.3, 0.6])
def test_intervals_hold_the_agreement_of_many_samples(clusters, labels, agreement):
    shares = np.full((clusters, labels), (1 - agreement) / clusters / labels)
    shares[range(labels), range(labels)] += agreement / labels
    many = Agreement(
        np.round(shares * 1e8).astype(np.int64), np.array([*range(labels), *[-1] * (clusters - labels)]), False
    )
    found = [one.measures() for one in drawn(clusters, labels, agreement, 300)]
    for metric, (truth, *_) in many.measures().items():
        assert np.mean([one[metric][1] <= truth <= one[metric][2] for one in found]) >= 0.91


def test_who_all_agree_have_no_interval():
    labels = np.arange(90) % 3
    for value, low, high in Agreement.of(labels, labels).measures().values():
        assert (value, low, high) == pytest.approx((1, 1, 1))
    for value, low, high in Agreement.of(np.array([0, 1]), np.array([0, 1])).measures().values():
        assert np.isfinite([value, low, high]).all()


def test_many_small_clusters_need_no_table_for_each_sample_who_is_left_out():
    """A table without each sample, of 20,000 samples in 4,000 clusters with 50 labels, would be 32 GB."""
    rng = np.random.default_rng(1)
    found = Agreement.of(rng.integers(0, 4000, 20000), rng.integers(0, 50, 20000)).measures()
    assert found["ari"][1] < 0 < found["ari"][2]
