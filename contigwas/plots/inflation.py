"""Lambda with an interval: a jackknife over chromosomes, which LD inside a chromosome cannot make too narrow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

LEAST_CHROMOSOMES = 5  # from which the jackknife is used: its variance has one degree of freedom fewer
LEVEL = 0.95
MEDIAN = stats.chi2.isf(0.5, 1)  # of the chi-squared distribution under the null


@dataclass(frozen=True)
class Inflation:
    """The genomic inflation factor of a test: its value, the ends of a 95 % interval (NaN: none), and how it was made.

    method: `jackknife` (over chromosomes) or `independent` (rank interval of the median, as if no tests were linked).
    count: of the p-values behind it.
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
    """Two values of lambda with as many digits as tell them apart.

    >>> span(0.981, 1.04), span(1.0104, 1.0142)
    ('0.98 to 1.04', '1.010 to 1.014')
    """
    digits = 2 if high - low >= 0.02 else 3
    return f"{low:.{digits}f} to {high:.{digits}f}"


def inflation(summaries: Sequence[PathLike], tests: Sequence[str]) -> dict[str, Inflation]:
    """Lambda of each of `tests` over all chromosomes, with a 95 % interval.

    `summaries` are the histograms of -log10 p, one file a chromosome. Where at least 5 chromosomes have p-values, the
    interval is lambda plus and minus Student's t times the standard error of a delete-one-chromosome jackknife for
    groups of unequal size (Busing, Meijer and van der Leeden 1999, Statistics and Computing 9:3): chromosomes are
    independent, whatever the LD inside them. It is not the delete-one-variant jackknife, which fails for medians: the
    groups are large. With fewer chromosomes it is the interval between two order statistics (binomial ranks) around
    the median, which takes all tests as independent and so is too narrow under LD.
    Raises UserError for a file that is missing, and for a test that no file has.
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
    """Lambda from bins (their ends in -log10 p, ascending) and `counts` (bins, chromosomes), no chromosome empty."""
    chromosomes, everything = counts.shape[1], counts.sum(axis=1)
    total = everything.sum()
    if not total:
        return Inflation(np.nan, np.nan, np.nan, "independent", 0)
    value = factor(quantile(low, high, everything, total / 2))
    if chromosomes < LEAST_CHROMOSOMES:
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
    """Standard error of `value` from the values `without` each group (groups,), whose `sizes` may differ."""
    times = sizes.sum() / sizes
    centre = len(sizes) * value - ((1 - 1 / times) * without).sum()
    pseudo = times * value - (times - 1) * without
    return float(np.sqrt(((pseudo - centre) ** 2 / (times - 1)).mean()))


def quantile(low: np.ndarray, high: np.ndarray, counts: np.ndarray, rank: float) -> float:
    """The -log10 p that `rank` of the tests do not exceed, interpolated inside its bin; the open bin has no width."""
    reached = np.cumsum(counts)
    place = min(int(np.searchsorted(reached, rank)), len(counts) - 1)
    inside = 1 - (reached[place] - rank) / counts[place] if counts[place] else 0.0
    end = high[place] if np.isfinite(high[place]) else low[place]
    return float(low[place] + inside * (end - low[place]))


def factor(log10p: float) -> float:
    """The 1-df chi-squared quantile of a median p, over that of 0.5."""
    return float(stats.chi2.isf(10.0**-log10p, 1) / MEDIAN)
