"""The QQ plot of every test of a model, from histograms of all of them."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.plots import style

log = logging.getLogger(__name__)
COLUMNS = ["test", "bin_low", "bin_high", "count"]


def qq(summaries: Sequence[PathLike], outputs: Sequence[PathLike], title: str, test: str = "manova") -> Figure:
    """Draw observed against expected -log10 p to `outputs` (PNG, PDF) and return the figure.

    `summaries` are the histograms of -log10 p of each chromosome (Parquet: test, bin_low, bin_high, count). `test` is
    drawn as points with the 95 % band of its ranks under the null (of independent tests), the other omnibus tests as
    lines, the features as light lines. Lambda is the median chi-square over its expectation.
    """
    histograms = read_histograms(summaries)
    shown = [one for one in style.TESTS if one in histograms]
    features = {name: table for name, table in histograms.items() if name not in style.TESTS}
    if test not in histograms and histograms:
        there = ", ".join(shown) or "none"
        raise UserError(f"{summaries[0]} has no test {test} (tests in it: {there}): set loci.test to one of gwas.tests")
    points = {name: expected_observed(table) for name, table in histograms.items()}
    highest = max((float(observed.max()) for _, observed in points.values() if len(observed)), default=0.0)
    if highest:
        highest = max(highest, float(band(float(histograms[test]["count"].sum()))[2].max()))
    scale = style.HeightScale(highest)
    with style.applied():
        figure = Figure(figsize=(4.6, 4.9), layout="constrained")
        axis = figure.subplots()
        scale.apply(axis)
        if highest:
            _draw(axis, points, histograms, shown, features, test)
            axis.legend(loc="upper left", handlelength=1.4, borderaxespad=0.2)
        else:
            axis.set_xlim(0, 1)
            style.say(axis, "no variant was tested")
        axis.set_xlabel("expected −log₁₀ p")
        axis.set_ylabel(f"observed −log₁₀ p{scale.note}")
        axis.set_title(title, fontsize=11, fontweight="bold")
        style.save(figure, outputs)
    log.info("QQ of %d omnibus tests and %d features", len(shown), len(features))
    return figure


def read_histograms(paths: Sequence[PathLike]) -> dict[str, pd.DataFrame]:
    """One histogram a test, over all files: bin_low, bin_high (-log10 p) and count > 0, ascending."""
    tables = []
    for path in paths:
        try:
            tables.append(pd.read_parquet(require(path, "the GWAS summary"), columns=COLUMNS))
        except (pa.ArrowInvalid, KeyError, ValueError):
            raise UserError(f"{path} is not a summary of {', '.join(COLUMNS)}: run the gwas stage again") from None
    table = pd.concat(tables)
    table = table[table["count"] > 0].groupby(COLUMNS[:3], sort=True, as_index=False)["count"].sum()
    return {str(name): part.reset_index(drop=True) for name, part in table.groupby("test", sort=False)}


def expected_observed(histogram: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Expected and observed -log10 p, one point a bin, descending.

    The expected p of a bin is the middle of its ranks, (rank - 1/2) / tests; observed is the middle of the bin.
    """
    table = histogram.iloc[::-1]
    count = table["count"].to_numpy(dtype=float)
    rank = np.cumsum(count) - count / 2
    low, high = table["bin_low"].to_numpy(float), table["bin_high"].to_numpy(float)
    observed = np.where(np.isfinite(high), (low + np.where(np.isfinite(high), high, 0)) / 2, low)
    return -np.log10(rank / count.sum()), np.maximum(observed, 0)


def inflation(histogram: pd.DataFrame) -> float:
    """Lambda: the chi-square (1 df) of the median p over its expectation; the median is interpolated in its bin."""
    count = histogram["count"].to_numpy(dtype=float)
    below, half = np.cumsum(count), count.sum() / 2
    place = int(np.searchsorted(below, half))
    low, high = (float(histogram[name].iloc[place]) for name in ("bin_low", "bin_high"))
    share = (half - (below[place] - count[place])) / count[place]
    median = low + share * (high - low) if np.isfinite(high) else low
    return float(stats.chi2.isf(10.0**-median, 1) / stats.chi2.isf(0.5, 1))


def band(tests: float, ranks: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected -log10 p, and the 2.5 % and 97.5 % quantiles of what the null gives at ranks 1 to `tests`.

    The k-th smallest of n uniform p-values is Beta(k, n + 1 - k).
    """
    rank = np.unique(np.geomspace(1, max(tests, 1), ranks).round())
    low, high = (-np.log10(stats.beta.ppf(share, rank, tests + 1 - rank)) for share in (0.975, 0.025))
    return -np.log10((rank - 0.5) / tests), low, high


def _draw(
    axis: Axes,
    points: dict[str, tuple[np.ndarray, np.ndarray]],
    histograms: dict[str, pd.DataFrame],
    shown: list[str],
    features: dict[str, pd.DataFrame],
    test: str,
) -> None:
    expected, low, high = band(float(histograms[test]["count"].sum()))
    axis.fill_between(expected, low, high, color=style.FAINT, alpha=0.75, linewidth=0, label="95 % under the null")
    end = max(float(one.max()) for one, _ in points.values())
    axis.plot([0, end], [0, end], color=style.MUTED, linewidth=0.8, zorder=1.5)
    thin_line = {"linewidth": 0.7, "alpha": max(0.15, min(0.7, 5 / max(len(features), 1))), "color": style.LIGHT}
    for number, name in enumerate(features):
        axis.plot(*points[name], zorder=1.6, label=_of_features(features) if number == 0 else None, **thin_line)
    others = [name for name in shown if name != test]
    for color, name in zip((style.PALETTE[1], style.PALETTE[2]), others, strict=False):
        label = f"{style.TESTS[name]}, λ = {inflation(histograms[name]):.3f}"
        axis.plot(*points[name], color=color, linewidth=1.2, zorder=2, label=label)
    label = f"{style.TESTS[test]}, λ = {inflation(histograms[test]):.3f}"
    marks = {"ms": 3.2, "mew": 0, "color": style.DARK, "rasterized": True, "clip_on": False}
    axis.plot(*points[test], "o", zorder=3, label=label, **marks)
    axis.set_xlim(0, end * 1.02)


def _of_features(features: dict[str, pd.DataFrame]) -> str:
    values = [inflation(table) for table in features.values()]
    if len(values) == 1:
        return f"1 feature, λ = {values[0]:.3f}"
    return f"{len(values)} features, λ {min(values):.2f} to {max(values):.2f}"
