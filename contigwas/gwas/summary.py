"""Histograms of -log10 p of every test: they add up over chromosomes, and give lambda and the QQ plot."""

from collections.abc import Sequence
from threading import Lock

import numpy as np
import pandas as pd
import torch
from scipy.special import chdtri

from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.tables.text import require

FINE, TURN, GROWTH, TOP = 0.001, 2.0, 1.01, 1e7
# Bins of 0.001 up to 2, then each 1 % further; the last one is open.
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
        """Start at nothing, counting on `device`."""
        self.tests = list(tests)
        self.edges = torch.from_numpy(EDGES).to(device)
        self._lock = Lock()  # blocks are tested by several threads
        # the last bin takes what has no p
        self._counts = torch.zeros(len(self.tests) * len(EDGES), dtype=torch.int64, device=device)

    def add(self, log10p: torch.Tensor, first: int = 0) -> None:
        """Count `log10p` (variants, some tests), float64: those from number `first` on; NaN is not counted."""
        absent = log10p.isnan()
        value = log10p.masked_fill(absent, 0.0).clamp_(min=0)
        bins = (value * (1 / FINE)).clamp_(max=TURN / FINE).long()
        rows, columns = torch.nonzero(value >= TURN, as_tuple=True)
        far = torch.searchsorted(self.edges, value[rows, columns], right=True) - 1
        bins[rows, columns] = far.clamp_(max=len(EDGES) - 2)
        bins.masked_fill_(absent, len(EDGES) - 1)
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
        """Write `test bin_low bin_high count`; a test without any p keeps its first bin, with a count of 0."""
        table = self._counts.reshape(len(self.tests), len(EDGES))[:, :-1].cpu().numpy()
        shown = table > 0
        shown[:, 0] |= ~shown.any(axis=1)
        test, place = np.nonzero(shown)
        columns = {"test": np.array(self.tests, object)[test], "bin_low": EDGES[place]}
        columns |= {"bin_high": EDGES[place + 1], "count": table[test, place]}
        write_parquet(pd.DataFrame(columns), path)


def read_summary(paths: Sequence[PathLike]) -> pd.DataFrame:
    """The histograms of several files added up: `test bin_low bin_high count`, tests in the first file's order."""
    table = pd.concat([pd.read_parquet(require(path, "a summary of the GWAS")) for path in paths], ignore_index=True)
    order = {test: place for place, test in enumerate(table["test"].unique())}
    table = table.groupby(["test", "bin_low", "bin_high"], as_index=False)["count"].sum()
    return table.sort_values(["test", "bin_low"], key=lambda one: one.map(order) if one.name == "test" else one,
                             ignore_index=True)  # fmt: skip


def read_lambda(paths: Sequence[PathLike]) -> pd.DataFrame:
    """The genomic inflation factor of each test: `test`, `n` (variants with a p) and `lambda`.

    lambda is the 1-df chi-squared quantile of the median p over that of 0.5 (Devlin and Roeder 1999); the median is
    interpolated inside its bin of 0.001, so a lambda near 1 is within 0.005, much nearer with many variants. NaN for a
    test without a p.
    """
    rows = []
    for test, bins in read_summary(paths).groupby("test", sort=False):
        rows.append({"test": test, "n": int(bins["count"].sum()), "lambda": _inflation(bins)})
    return pd.DataFrame(rows, columns=["test", "n", "lambda"])


def _inflation(bins: pd.DataFrame) -> float:
    total = bins["count"].sum()
    if not total:
        return float("nan")
    reached = bins["count"].cumsum().to_numpy()
    place = int(np.searchsorted(reached, total / 2))
    row = bins.iloc[place]
    inside = 1 - (reached[place] - total / 2) / row["count"]
    high = row["bin_high"] if np.isfinite(row["bin_high"]) else row["bin_low"]
    median = row["bin_low"] + inside * (high - row["bin_low"])
    return float(chdtri(1, 10.0**-median) / chdtri(1, 0.5))
