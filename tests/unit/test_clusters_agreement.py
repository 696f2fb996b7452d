"""Agreement of clusters with labels: matching against all permutations, measures against their definitions."""

from itertools import combinations, permutations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from contigwas.downstream.clusters import agreement
from contigwas.downstream.clusters.agreement import Agreement, ari, nmi


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
    assert Agreement.of(clusters, labels).measures(0)["accuracy"][0] == pytest.approx(best / 80)


def test_noise_is_wrong_and_counted():
    clusters, labels = np.array([0, 0, 1, 1, -1, -1]), np.array([0, 0, 1, 1, 0, 1])
    found = Agreement.of(clusters, labels)
    assert found.noise and found.counts.tolist() == [[2, 0], [0, 2], [1, 1]] and found.matched.tolist() == [0, 1, -1]
    assert found.measures(0)["accuracy"][0] == pytest.approx(4 / 6)


def test_the_rand_index_counts_pairs(pair):
    clusters, labels = pair
    pairs = [(clusters[i] == clusters[j], labels[i] == labels[j]) for i, j in combinations(range(80), 2)]
    together = sum(a and b for a, b in pairs)
    first, second = (sum(one[side] for one in pairs) for side in (0, 1))
    chance = first * second / len(pairs)
    expected = (together - chance) / ((first + second) / 2 - chance)
    found = Agreement.of(clusters, labels)
    assert found.measures(0)["ari"][0] == pytest.approx(expected)
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
    found = Agreement.of(clusters, labels).measures(0)["nmi"][0]
    assert found == pytest.approx(2 * mutual / sum(entropies))
    assert found == pytest.approx(normalized_mutual_info_score(labels, clusters))


def test_one_cluster_agrees_with_nothing():
    table = Agreement.of(np.zeros(6, int), np.array([0, 0, 0, 1, 1, 1])).counts[None]
    assert ari(table)[0] == 0 and nmi(table)[0] == 0


def test_intervals_are_those_of_resampled_people(pair):
    """A multinomial draw of the cells against resampling people one by one, with the same matching."""
    clusters, labels = pair
    found = Agreement.of(clusters, labels)
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, 80, 80) for _ in range(2000)]
    for metric, score in (("ari", adjusted_rand_score), ("nmi", normalized_mutual_info_score)):
        expected = np.quantile([score(labels[some], clusters[some]) for some in drawn], [0.025, 0.975])
        assert found.measures(3)[metric][1:] == pytest.approx(expected, abs=0.03)
    label = np.where(clusters < 0, -1, found.matched[clusters])
    expected = np.quantile([(label[some] == labels[some]).mean() for some in drawn], [0.025, 0.975])
    assert found.measures(3)["accuracy"][1:] == pytest.approx(expected, abs=0.03)


def test_intervals_do_not_depend_on_how_many_tables_are_held(pair, monkeypatch):
    found = Agreement.of(*pair)
    held = []

    def seen(tables):
        held.append(len(tables))
        return ari(tables)

    monkeypatch.setattr(agreement, "ari", seen)
    chunked = found.measures(3)
    assert max(held) <= 50 and sum(held) == 2001
    monkeypatch.setattr(agreement, "CHUNK", 2000)
    assert found.measures(3) == chunked
