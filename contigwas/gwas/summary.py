"""Histograms of -log10 p of every test, which are summed over chromosomes for lambda and the QQ plot."""

from collections.abc import Sequence
from threading import Lock

import numpy as np
import pandas as pd
import torch
from scipy.special import chdtri

from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.tables.text import require

FINE, TURN, GROWTH, TOP = 0.001, 2.0, 1.01, 1e7
# The bins have a width of 0.001 up to 2. Above, each edge is 1 % larger than the one before. The last bin is open.
EDGES = np.concatenate(
    [
        np.arange(round(TURN / FINE)) * FINE,
        TURN * GROWTH ** np.arange(int(np.log(TOP / TURN) / np.log(GROWTH)) + 1),
        [np.inf],
    ]
)


class Histogram:
    """Counts of -log10 p of some tests in the bins between `EDGES`."""

    def __init__(self, tests: Sequence[str], device: torch.device | str = "cpu") -> None:
        """Start with counts of 0 on `device`."""
        self.tests = list(tests)
        self.edges = torch.from_numpy(EDGES).to(device)
        self._lock = Lock()  # several threads test blocks at the same time
        # the last bin counts tests without a p-value
        self._counts = torch.zeros(len(self.tests) * len(EDGES), dtype=torch.int64, device=device)

    def add(self, log10p: torch.Tensor, first: int = 0) -> None:
        """Count `log10p`, float64 (variants, k), of the k tests from number `first` on; NaN is not counted."""
        missing = log10p.isnan()
        value = log10p.masked_fill(missing, 0.0).clamp_(min=0)
        bins = (value * (1 / FINE)).clamp_(max=TURN / FINE).long()
        rows, columns = torch.nonzero(value >= TURN, as_tuple=True)
        outer_bins = torch.searchsorted(self.edges, value[rows, columns], right=True) - 1
        bins[rows, columns] = outer_bins.clamp_(max=len(EDGES) - 2)
        bins.masked_fill_(missing, len(EDGES) - 1)
        bins += torch.arange(first, first + bins.shape[1], device=bins.device) * len(EDGES)
        one = torch.ones(1, dtype=torch.int64, device=bins.device)
        with self._lock:
            self._counts.index_add_(0, bins.flatten(), one.expand(bins.numel()))

    @property
    def counts(self) -> dict[str, np.ndarray]:
        """Counts of each test, int64 (bins,)."""
        table = self._counts.reshape(len(self.tests), len(EDGES))[:, :-1].cpu().numpy()
        return dict(zip(self.tests, table, strict=True))

    def write(self, path: PathLike) -> None:
        """Write the columns `test bin_low bin_high count`; a test without p-values gets one bin with a count of 0."""
        table = self._counts.reshape(len(self.tests), len(EDGES))[:, :-1].cpu().numpy()
        shown = table > 0
        shown[:, 0] |= ~shown.any(axis=1)
        test, place = np.nonzero(shown)
        columns = {"test": np.array(self.tests, object)[test], "bin_low": EDGES[place]}
        columns |= {"bin_high": EDGES[place + 1], "count": table[test, place]}
        write_parquet(pd.DataFrame(columns), path)


def read_summary(paths: Sequence[PathLike]) -> pd.DataFrame:
    """Return the sum of several histograms: `test bin_low bin_high count`, with the tests in their first order."""
    table = pd.concat([pd.read_parquet(require(path, "a summary of the GWAS")) for path in paths], ignore_index=True)
    order = {test: place for place, test in enumerate(table["test"].unique())}
    table = table.groupby(["test", "bin_low", "bin_high"], as_index=False)["count"].sum()
    return table.sort_values(["test", "bin_low"], key=lambda one: one.map(order) if one.name == "test" else one,
                             ignore_index=True)  # fmt: skip


def read_lambda(paths: Sequence[PathLike]) -> pd.DataFrame:
    """Return the genomic inflation factor of each test: `test`, `n` (variants with a p-value) and `lambda`.

    lambda is the 1-df chi-squared quantile of the median p divided by that of 0.5 (Devlin and Roeder 1999). The median
    is interpolated inside its bin of 0.001, so that a lambda near 1 has an error below 0.005. lambda is NaN for a test
    without p-values.
    """
    rows = []
    for test, bins in read_summary(paths).groupby("test", sort=False):
        rows.append({"test": test, "n": int(bins["count"].sum()), "lambda": _inflation(bins)})
    return pd.DataFrame(rows, columns=["test", "n", "lambda"])


def _inflation(bins: pd.DataFrame) -> float:
    """Return lambda of the histogram of one test."""
    total = bins["count"].sum()
    if not total:
        return float("nan")
    cumulative = bins["count"].cumsum().to_numpy()
    place = int(np.searchsorted(cumulative, total / 2))
    row = bins.iloc[place]
    inside = 1 - (cumulative[place] - total / 2) / row["count"]
    high = row["bin_high"] if np.isfinite(row["bin_high"]) else row["bin_low"]
    median = row["bin_low"] + inside * (high - row["bin_low"])
    return float(chdtri(1, 10.0**-median) / chdtri(1, 0.5))
