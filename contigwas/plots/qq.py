"""QQ plot of all tests of a model, from their histograms of p-values."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from contigwas.gwas.summary import read_lambda, read_summary
from contigwas.plots import style
from contigwas.plots.inflation import Inflation, inflation, span
from contigwas.plots.labels import fitting
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)
COLUMNS = ["test", "bin_low", "bin_high", "count"]


def qq(summaries: Sequence[PathLike], outputs: Sequence[PathLike], title: str, test: str = "manova") -> Figure:
    """Draw observed against expected -log10 p to `outputs` (PNG, PDF) and return the figure.

    `summaries` are the histograms of -log10 p of each chromosome (Parquet: test, bin_low, bin_high, count). `test`,
    which can be a feature, is drawn as points with the 95 % band of its ranks under the null (for independent tests).
    Other tests over features are drawn as lines, features as light lines. Lambda is the median chi-square divided by
    its expectation, with the interval of `contigwas.plots.inflation`. Raises UserError if the files have no `test`.
    """
    histograms = read_histograms(summaries)
    omnibus = [one for one in style.TESTS if one in histograms]
    if test not in histograms:
        available = ", ".join(omnibus) or "none"
        raise UserError(
            f"{summaries[0]} has no test {test} (tests over features: {available}): set loci.test to one of gwas.tests"
        )
    points = {name: expected_observed(table) for name, table in histograms.items() if len(table)}
    highest = max((float(observed.max()) for _, observed in points.values()), default=0.0)
    if test in points:
        highest = max(highest, float(band(float(histograms[test]["count"].sum()))[2].max()))
    scale = style.HeightScale(highest)
    with style.applied():
        figure = Figure(figsize=(4.6, 4.9), layout="constrained")
        axis = figure.subplots()
        scale.apply(axis)
        if test in points:
            lambdas = read_lambda(summaries).set_index("test")["lambda"].to_dict()
            intervals = inflation(summaries, [name for name in points if name in (*omnibus, test)])
            _draw(axis, points, float(histograms[test]["count"].sum()), lambdas, intervals, test)
            log.info("; ".join(f"{name}: {one} ({one.method})" for name, one in intervals.items()))
            axis.legend(loc="upper left", handlelength=1.4, borderaxespad=0.2)
        else:
            axis.set_xlim(0, 1)
            style.say(axis, f"no p-values of {style.short_name(test)}")
        axis.set_xlabel("expected −log₁₀ p")
        axis.set_ylabel(f"observed −log₁₀ p{scale.note}")
        axis.set_title(title, **fitting(title, 4.0, fontsize=11, fontweight="bold"))
        style.save(figure, outputs)
    log.info("QQ of %d omnibus tests and %d features", len(omnibus), len(histograms) - len(omnibus))
    return figure


def read_histograms(paths: Sequence[PathLike]) -> dict[str, pd.DataFrame]:
    """Return the histogram of each test over all files: bin_low, bin_high (-log10 p) and count > 0, ascending.

    A histogram can be empty. Raises UserError if a file has not the columns of a summary.
    """
    for path in paths:
        try:
            absent = set(COLUMNS) - set(pq.read_schema(require(path, "the GWAS summary")).names)
        except pa.ArrowInvalid:
            absent = set(COLUMNS)
        if absent:
            raise UserError(f"{path} is not a summary of {', '.join(COLUMNS)}: run the gwas stage again")
    table = read_summary(paths)
    tests = table.groupby("test", sort=False)
    return {str(name): part[part["count"] > 0].reset_index(drop=True) for name, part in tests}


def expected_observed(histogram: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return expected and observed -log10 p, one point per bin, descending.

    The expected p of a bin is (rank - 1/2) / tests at the middle of its ranks; observed is the middle of the bin.
    """
    table = histogram.iloc[::-1]
    count = table["count"].to_numpy(dtype=float)
    rank = np.cumsum(count) - count / 2
    low, high = table["bin_low"].to_numpy(float), table["bin_high"].to_numpy(float)
    observed = np.where(np.isfinite(high), (low + np.where(np.isfinite(high), high, 0)) / 2, low)
    return -np.log10(rank / count.sum()), np.maximum(observed, 0)


def band(tests: float, ranks: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return expected -log10 p, and its 2.5 % and 97.5 % quantiles under the null, at ranks 1 to `tests`.

    The k-th smallest of n uniform p-values is Beta(k, n + 1 - k).
    """
    rank = np.unique(np.geomspace(1, max(tests, 1), ranks).round())
    low, high = (-np.log10(stats.beta.ppf(share, rank, tests + 1 - rank)) for share in (0.975, 0.025))
    return -np.log10((rank - 0.5) / tests), low, high


def _draw(
    axis: Axes,
    points: dict[str, tuple[np.ndarray, np.ndarray]],
    tests: float,
    lambdas: dict[str, float],
    intervals: dict[str, Inflation],
    test: str,
) -> None:
    """Draw the band of `tests` independent tests, the diagonal, features, other tests over features, and `test`."""
    expected, low, high = band(tests)
    axis.fill_between(expected, low, high, color=style.FAINT, alpha=0.75, linewidth=0, label="95 % under the null")
    end = max(float(one.max()) for one, _ in points.values())
    axis.plot([0, end], [0, end], color=style.MUTED, linewidth=0.8, zorder=1.5)
    features = [name for name in points if name not in intervals]
    thin_line = {"linewidth": 0.7, "alpha": max(0.15, min(0.7, 5 / max(len(features), 1))), "color": style.LIGHT}
    for number, name in enumerate(features):
        axis.plot(
            *points[name],
            zorder=1.6,
            label=_of_features([lambdas[one] for one in features]) if number == 0 else None,
            **thin_line,
        )
    others = [name for name in intervals if name != test]
    for color, name in zip(style.PALETTE[1:], others, strict=False):
        label = f"{style.TESTS[name]}, {intervals[name]}"
        axis.plot(*points[name], color=color, linewidth=1.2, zorder=2, label=label)
    label = f"{style.short_name(test)}, {intervals[test]}"
    marks = {"ms": 3.2, "mew": 0, "color": style.DARK, "rasterized": True, "clip_on": False}
    axis.plot(*points[test], "o", zorder=3, label=label, **marks)
    axis.set_xlim(0, end * 1.02)


def _of_features(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"1 feature, λ = {values[0]:.3f}"
    return f"{len(values)} features, λ {span(min(values), max(values))}"
