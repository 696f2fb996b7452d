"""Genomic inflation factor (lambda) with an interval by a jackknife over chromosomes, which is robust to LD."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

MIN_CHROMOSOMES = 5  # for the jackknife
LEVEL = 0.95
MEDIAN = stats.chi2.isf(0.5, 1)  # of the chi-squared distribution under the null


@dataclass(frozen=True)
class Inflation:
    """Genomic inflation factor of a test with its 95 % interval (NaN: none).

    method: `jackknife` (over chromosomes) or `independent` (rank interval of the median, which assumes independent
    tests); count: number of p-values.
    """

    value: float
    low: float
    high: float
    method: str
    count: int = 0

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "λ unknown"
        if not np.isfinite(self.low):
            return f"λ = {self.value:.3f}"
        condition = " if independent" if self.method == "independent" else ""
        return f"λ = {self.value:.3f} ({span(self.low, self.high)}{condition})"


def span(low: float, high: float) -> str:
    """Return two values of lambda with enough digits to distinguish them.

    >>> span(0.981, 1.04), span(1.0104, 1.0142)
    ('0.98 to 1.04', '1.010 to 1.014')
    """
    digits = 2 if high - low >= 0.02 else 3
    return f"{low:.{digits}f} to {high:.{digits}f}"


def inflation(summaries: Sequence[PathLike], tests: Sequence[str]) -> dict[str, Inflation]:
    """Return lambda of each of `tests` over all chromosomes, with its 95 % interval.

    `summaries` are the histograms of -log10 p, one file per chromosome. If at least 5 chromosomes have p-values, the
    interval is lambda plus and minus Student's t times the standard error of a delete-one-chromosome jackknife for
    groups of unequal size (Busing, Meijer and van der Leeden 1999, Statistics and Computing 9:3). Chromosomes are
    independent regardless of the LD within them, and the groups are large, so the jackknife is valid for the median.
    With fewer chromosomes the interval is between two order statistics (binomial ranks) around the median. It assumes
    independent tests and is too narrow under LD. Raises UserError for a missing file or test.
    """
    parts = []
    for number, path in enumerate(summaries):
        table = pd.read_parquet(require(path, "a summary of the GWAS"))
        parts.append(table[table["test"].isin(list(tests))].assign(chromosome=number))
    every = pd.concat(parts, ignore_index=True)
    result = {}
    for test in tests:
        bins = every[every["test"] == test]
        if bins.empty:
            raise UserError(f"{summaries[0]} has no test {test}: run the gwas stage again")
        counts = bins.pivot_table(index="bin_low", columns="chromosome", values="count", aggfunc="sum", fill_value=0)
        low = counts.index.to_numpy(dtype=float)
        high = bins.groupby("bin_low")["bin_high"].first().to_numpy(dtype=float)
        filled = counts.to_numpy(dtype=float)
        result[test] = estimate(low, high, filled[:, filled.sum(axis=0) > 0])
    return result


def estimate(low: np.ndarray, high: np.ndarray, counts: np.ndarray) -> Inflation:
    """Return lambda from bins (ends in -log10 p, ascending) and `counts` (bins, chromosomes), no chromosome empty."""
    chromosomes, everything = counts.shape[1], counts.sum(axis=1)
    total = everything.sum()
    if not total:
        return Inflation(np.nan, np.nan, np.nan, "independent", 0)
    value = factor(quantile(low, high, everything, total / 2))
    if chromosomes < MIN_CHROMOSOMES:
        below = stats.binom.ppf((1 - LEVEL) / 2, total, 0.5)
        ranks = max(below, 0.0), min(total - below, total)
        ends = sorted(factor(quantile(low, high, everything, rank)) for rank in ranks)
        return Inflation(value, *ends, "independent", int(total))
    without = [
        factor(quantile(low, high, left := everything - counts[:, one], left.sum() / 2)) for one in range(chromosomes)
    ]
    error = jackknife_error(value, np.array(without), counts.sum(axis=0))
    reach = stats.t.ppf((1 + LEVEL) / 2, chromosomes - 1) * error
    return Inflation(value, max(value - reach, 0.0), value + reach, "jackknife", int(total))


def jackknife_error(value: float, without: np.ndarray, sizes: np.ndarray) -> float:
    """Return the standard error of `value` from the values `without` each group (groups,) of different `sizes`."""
    times = sizes.sum() / sizes
    centre = len(sizes) * value - ((1 - 1 / times) * without).sum()
    pseudo = times * value - (times - 1) * without
    return float(np.sqrt(((pseudo - centre) ** 2 / (times - 1)).mean()))


def quantile(low: np.ndarray, high: np.ndarray, counts: np.ndarray, rank: float) -> float:
    """Return the -log10 p that `rank` tests do not exceed, interpolated within its bin; the open bin has no width."""
    reached = np.cumsum(counts)
    place = min(int(np.searchsorted(reached, rank)), len(counts) - 1)
    inside = 1 - (reached[place] - rank) / counts[place] if counts[place] else 0.0
    end = high[place] if np.isfinite(high[place]) else low[place]
    return float(low[place] + inside * (end - low[place]))


def factor(log10p: float) -> float:
    """Return the chi-squared quantile (1 df) of a median p, divided by that of 0.5."""
    return float(stats.chi2.isf(10.0**-log10p, 1) / MEDIAN)
