"""Lambda and its interval: against p-values, against the pipeline's lambda, and by coverage."""

import numpy as np
import pytest
from scipy import stats

from contigwas.gwas.summary import read_lambda
from contigwas.plots.inflation import Inflation, estimate, inflation, jackknife_error
from contigwas.runtime.errors import UserError
from tests.unit.plots_data import EDGES, write_summary

MEDIAN = stats.chi2.ppf(0.5, 1)


def write(folder, chromosomes):
    """One summary a chromosome, of chi-squares."""
    log10p = [-stats.chi2.logsf(one, 1) / np.log(10) for one in chromosomes]
    return [write_summary(folder / f"{number}.parquet", {"manova": one}) for number, one in enumerate(log10p)]


def counted(chromosomes, times=1):
    """The same in memory, with every test `times` over: as in perfect LD."""
    log10p = [-stats.chi2.logsf(one, 1) / np.log(10) for one in chromosomes]
    counts = times * np.stack([np.histogram(one, EDGES)[0] for one in log10p], axis=1).astype(float)
    filled = counts.any(axis=1)
    return estimate(EDGES[:-1][filled], EDGES[1:][filled], counts[filled])


def test_the_jackknife_leaves_out_one_chromosome_after_the_other(tmp_path):
    rng = np.random.default_rng(1)
    sizes = [9000, 7000, 5000, 3000, 2500, 800]
    chi = [rng.chisquare(1, size) * (1 + 0.02 * number) for number, size in enumerate(sizes)]
    found = inflation(paths := write(tmp_path, chi), ["manova"])["manova"]
    # the oracle: Busing's formulas on the chi-squares themselves, group by group
    theta = np.median(np.concatenate(chi)) / MEDIAN
    left = [np.median(np.concatenate(chi[:one] + chi[one + 1 :])) / MEDIAN for one in range(6)]
    total, terms = sum(sizes), []
    for size, without in zip(sizes, left, strict=True):
        h = total / size
        mean = 6 * theta - sum((1 - m / total) * w for m, w in zip(sizes, left, strict=True))
        terms.append((h * theta - (h - 1) * without - mean) ** 2 / (h - 1))
    reach = stats.t.ppf(0.975, 5) * np.sqrt(np.mean(terms))
    assert found.method == "jackknife"
    assert found.value == pytest.approx(theta, abs=2e-3)
    assert found.value == pytest.approx(read_lambda(paths).set_index("test")["lambda"]["manova"], rel=1e-9)
    assert found.high - found.value == pytest.approx(reach, rel=0.05)
    assert found.value - found.low == pytest.approx(reach, rel=0.05)


def test_equal_groups_and_a_mean_give_the_textbook_error():
    rng = np.random.default_rng(2)
    groups = rng.normal(size=(7, 40))
    means = np.array([np.delete(groups, one, axis=0).mean() for one in range(7)])
    expected = groups.mean(axis=1).std(ddof=1) / np.sqrt(7)
    assert jackknife_error(groups.mean(), means, np.full(7, 40)) == pytest.approx(expected)


@pytest.mark.parametrize(("chromosomes", "method"), [(22, "jackknife"), (6, "jackknife"), (3, "independent")])
def test_coverage_of_independent_tests(chromosomes, method):
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(100):
        chi = [rng.chisquare(1, 400 + 40 * one) for one in range(chromosomes)]
        found = counted(chi)
        assert found.method == method
        inside += found.low <= 1 <= found.high
    assert 88 <= inside <= 100  # of 100, the exact 95 % interval lies below 88 once in 400 times


def test_linkage_widens_the_jackknife_but_not_the_ranks():
    rng = np.random.default_rng(4)
    covered = {"jackknife": 0, "independent": 0}
    for _ in range(100):
        chi = [rng.chisquare(1, 60) for _ in range(12)]
        for found in (counted(chi, times=50), counted([np.concatenate(chi)], times=50)):
            covered[found.method] += found.low <= 1 <= found.high
    assert covered["jackknife"] >= 85
    assert covered["independent"] < 50


def test_ranks_of_the_median(tmp_path):
    rng = np.random.default_rng(5)
    chi = rng.chisquare(1, 1001)
    found = inflation(write(tmp_path, [chi]), ["manova"])["manova"]
    below = int(stats.binom.ppf(0.025, 1001, 0.5))
    ordered = np.sort(chi) / MEDIAN
    assert found.low == pytest.approx(ordered[below - 1], abs=0.01)
    assert found.high == pytest.approx(ordered[1001 - below], abs=0.01)


def test_in_words():
    assert str(Inflation(1.0123, 0.981, 1.04, "jackknife")) == "λ = 1.012 (0.98 to 1.04)"
    assert str(Inflation(1.0123, 1.0104, 1.0142, "jackknife")) == "λ = 1.012 (1.010 to 1.014)"
    assert str(Inflation(1.0123, 0.981, 1.04, "independent")) == "λ = 1.012 (0.98 to 1.04 if independent)"
    assert str(Inflation(np.nan, np.nan, np.nan, "independent")) == "λ unknown"


def test_chromosomes_without_tests_are_no_groups(tmp_path):
    rng = np.random.default_rng(6)
    chi = [rng.chisquare(1, 300) for _ in range(4)]
    found = inflation(write(tmp_path, [*chi, np.array([]), np.array([])]), ["manova"])["manova"]
    assert found == inflation(write(tmp_path, chi), ["manova"])["manova"]
    assert found.method == "independent"
    assert np.isnan(inflation(write(tmp_path, [np.array([])]), ["manova"])["manova"].value)
    with pytest.raises(UserError, match="has no test acat"):
        inflation(write(tmp_path, chi), ["acat"])
