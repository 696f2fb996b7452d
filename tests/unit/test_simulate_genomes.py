"""Relatives by gene dropping, and the two populations."""

import sys

import numpy as np
import pytest

from contigwas.runtime.errors import UserError
from contigwas.simulate.genomes import draw_pedigree, simulate_chromosome
from contigwas.simulate.settings import Scores, Simulation

PLAN = Simulation(
    n_samples=200, chromosomes=1, megabases=1.0, related_pairs=21, polygenic_snps=10, polygenic_h2=0.2,
    planted_q2=(0.05,), burden_q2=0.0, ancestry_shift=1.0, pgs=Scores(1, 1, 0.5), missing_calls=0.0, missing_rate=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def family():
    pedigree = draw_pedigree(PLAN, np.random.default_rng(1))
    return pedigree, simulate_chromosome("1", PLAN, pedigree, np.random.default_rng(2))


def where(pedigree):
    """Row in the cohort of each founder (by simulated diploid), and of each child."""
    rank = np.empty(PLAN.n_samples, dtype=int)
    rank[pedigree.order] = np.arange(PLAN.n_samples)
    founders = dict(zip(pedigree.founders.tolist(), rank[: len(pedigree.founders)], strict=True))
    return founders, rank[len(pedigree.founders) :]


def test_number_of_children_and_pairs(family):
    pedigree, chromosome = family
    assert len(pedigree.founders) + len(pedigree.parents) == PLAN.n_samples == chromosome.counts.shape[1]
    couples, children = np.unique(pedigree.parents, axis=0, return_counts=True)
    mother_inside = np.isin(couples[:, 0], pedigree.founders)
    assert not np.isin(couples[:, 1], pedigree.founders).any()
    assert sorted(children[mother_inside]) == [1] * 11
    assert sorted(children[~mother_inside]) == [2] * 10
    assert len(np.unique(couples)) == couples.size


def test_a_child_shares_an_allele_with_its_parent_at_every_variant(family):
    pedigree, chromosome = family
    founders, children = where(pedigree)
    opposite = 0
    for child, (mother, _) in zip(children, pedigree.parents, strict=True):
        if mother in founders:
            difference = np.abs(chromosome.counts[:, child] - chromosome.counts[:, founders[mother]])
            assert difference.max() <= 1
            stranger = chromosome.counts[:, (founders[mother] + 1) % PLAN.n_samples]
            opposite += int((np.abs(chromosome.counts[:, child] - stranger) == 2).sum())
    assert opposite > 100


def test_siblings_share_half_of_their_genome(family):
    pedigree, chromosome = family
    _, children = where(pedigree)
    couples = pedigree.parents[11:]
    np.testing.assert_array_equal(couples[0::2], couples[1::2])
    common = chromosome.counts[(chromosome.af > 0.1) & (chromosome.af < 0.9)].astype(float)
    centred = common - common.mean(axis=1, keepdims=True)
    correlation = np.corrcoef(centred.T)
    pairs = correlation[children[11::2], children[12::2]]
    strangers = correlation[np.triu_indices(PLAN.n_samples, 1)]
    assert pairs.mean() == pytest.approx(0.5, abs=0.15)
    assert abs(strangers.mean()) < 0.05
    assert pairs.std() > 0.02


def test_populations_differ_in_allele_frequency_and_not_in_file_order(family):
    pedigree, chromosome = family
    assert pedigree.population.sum() == pytest.approx(50, abs=12)
    assert 0 < pedigree.population[:100].sum() < pedigree.population.sum()
    second = pedigree.population == 1
    common = (chromosome.af > 0.1) & (chromosome.af < 0.9)
    one = chromosome.counts[common][:, ~second].mean(axis=1) / 2
    two = chromosome.counts[common][:, second].mean(axis=1) / 2
    # Hudson's Fst, ratio of averages; 600 generations at Ne 10,000 give 1 - exp(-600 / 20,000) = 0.03
    a, b = 2 * (~second).sum() - 1, 2 * second.sum() - 1
    top = (one - two) ** 2 - one * (1 - one) / a - two * (1 - two) / b
    fst = top.mean() / (one * (1 - two) + two * (1 - one)).mean()
    assert 0.005 < fst < 0.08


def test_variants_are_by_position_and_vary(family):
    _, chromosome = family
    assert (np.diff(chromosome.pos) > 0).all()
    total = chromosome.counts.sum(axis=1, dtype=int)
    assert total.min() >= 1
    assert total.max() < 2 * PLAN.n_samples
    pairs = np.char.add(chromosome.ref, chromosome.alt)
    transitions = np.isin(pairs, ["AG", "GA", "CT", "TC"]).mean()
    assert 0.55 < transitions < 0.78


def test_a_missing_msprime_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "msprime", None)
    with pytest.raises(UserError, match=r"pip install 'contigwas\[demo\]'"):
        simulate_chromosome("1", None, None, None)
