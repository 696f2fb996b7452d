"""The QQ plot: quantiles and lambda from histograms compared with the p-values."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from contigwas.plots.inflation import inflation
from contigwas.plots.qq import band, expected_observed, qq, read_histograms
from contigwas.runtime.errors import UserError
from tests.unit.plots_data import write_summary


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(3)
    names = ["manova", "minp", "E1", "E2"]
    chi = {name: stats.chi2.rvs(1, size=20_000, random_state=rng) * (1.1 if name == "E1" else 1) for name in names}
    return {name: -stats.chi2.logsf(one, 1) / np.log(10) for name, one in chi.items()}


def test_quantiles_over_several_files(tmp_path, values):
    halves = [{name: one[part::2] for name, one in values.items()} for part in (0, 1)]
    paths = [write_summary(tmp_path / f"{number}.parquet", half) for number, half in enumerate(halves)]
    histograms = read_histograms(paths)
    assert set(histograms) == set(values)
    for name, one in values.items():
        assert histograms[name]["count"].sum() == len(one)
        expected, observed = expected_observed(histograms[name])
        ranked = np.sort(one)[::-1]
        theory = -np.log10((np.arange(len(one)) + 0.5) / len(one))
        exact = np.interp(expected[::-1], theory[::-1], ranked[::-1])[::-1]
        assert np.abs(observed - exact).max() < 0.02
        assert (np.diff(expected) < 0).all()
        assert expected[0] == pytest.approx(theory[0], abs=0.4)


def test_the_band_holds_what_the_null_gives():
    rng = np.random.default_rng(4)
    expected, low, high = band(500)
    draws = -np.log10(np.sort(rng.random((2000, 500)), axis=1))
    rank = np.round(10**-expected * 500 + 0.5).astype(int)
    inside = ((draws[:, rank - 1] >= low) & (draws[:, rank - 1] <= high)).mean(axis=0)
    assert (np.abs(inside - 0.95) < 0.025).all()


def test_the_figure(tmp_path, values):
    path = write_summary(tmp_path / "s.parquet", values)
    figure = qq([path], [tmp_path / "q.png", tmp_path / "q.pdf"], title="contig", test="manova")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    found = {}
    for name, label in (("manova", "MANOVA, λ = "), ("minp", "min-p, λ = ")):
        (text,) = [one.removeprefix(label) for one in legend if one.startswith(label)]
        value, low, high = (
            float(one.strip("()")) for one in text.removesuffix(" if independent)").split() if one != "to"
        )
        found[name] = value
        assert low < value < high  # one file: too few chromosomes for the jackknife
        assert text.endswith("if independent)")
        median = np.median(values[name])
        assert found[name] == pytest.approx(stats.chi2.isf(10**-median, 1) / stats.chi2.ppf(0.5, 1), abs=0.005)
    (features,) = [one for one in legend if one.startswith("2 features, λ ")]
    low, high = (float(one) for one in features.removeprefix("2 features, λ ").split(" to "))
    assert 0.95 < low < 1.05 < high < 1.15
    assert (tmp_path / "q.png").stat().st_size > 10_000
    assert not list(tmp_path.glob(".*tmp*"))


def test_a_feature_may_be_the_test_and_six_chromosomes_give_the_jackknife(tmp_path, values):
    parts = [{name: one[number::6] for name, one in values.items()} for number in range(6)]
    paths = [write_summary(tmp_path / f"{number}.parquet", one) for number, one in enumerate(parts)]
    figure = qq(paths, [tmp_path / "q.png"], title="contig", test="E1")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    expected = inflation(paths, ["E1", "manova"])
    assert expected["E1"].method == "jackknife"
    assert f"E1, {expected['E1']}" in legend
    assert f"MANOVA, {expected['manova']}" in legend
    assert any(one.startswith("1 feature, λ = ") for one in legend)


def test_the_top_stays_in_sight(tmp_path):
    rng = np.random.default_rng(5)
    y = np.append(rng.exponential(1 / np.log(10), 5000), [310.0, 900.0])  # the last lies in the open bin
    figure = qq([write_summary(tmp_path / "s.parquet", {"manova": y})], [tmp_path / "q.png"], title="")
    assert figure.axes[0].get_ylim()[1] > 310
    assert "log scale above" in figure.axes[0].get_ylabel()


@pytest.mark.parametrize("others", [{}, {"E1": np.array([0.1, 0.5])}])
def test_nothing_tested(tmp_path, others):
    path = write_summary(tmp_path / "s.parquet", {"manova": np.array([]), **others})
    figure = qq([path], [tmp_path / "q.png", tmp_path / "q.pdf"], title="contig")
    assert "no p-values of MANOVA" in [text.get_text() for text in figure.axes[0].texts]
    assert (tmp_path / "q.pdf").exists()


def test_bad_input(tmp_path, values):
    path = write_summary(tmp_path / "s.parquet", values)
    with pytest.raises(UserError, match=r"no test acat \(tests over features: minp, manova\)"):
        qq([path], [tmp_path / "q.png"], title="", test="acat")
    with pytest.raises(UserError, match="does not exist"):
        qq([tmp_path / "t.parquet"], [tmp_path / "q.png"], title="")
    pd.DataFrame({"test": ["manova"]}).to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(UserError, match="is not a summary of test, bin_low"):
        qq([tmp_path / "bad.parquet"], [tmp_path / "q.png"], title="")
    (tmp_path / "text.parquet").write_text("test\n")
    with pytest.raises(UserError, match="is not a summary"):
        qq([tmp_path / "text.parquet"], [tmp_path / "q.png"], title="")
    assert not list(tmp_path.glob("*.png"))
