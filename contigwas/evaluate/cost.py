"""What training took, from Snakemake's benchmarks."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)
COST = ["model", "folds", "measured", "seconds", "hours", "peak_mb"]


def write_cost(benchmarks: Mapping[str, Sequence[PathLike]], output: PathLike) -> None:
    """Write what the training of each model took: columns `COST`.

    `benchmarks` are Snakemake's, one a fold; a training that was stopped and went on counts its last part alone, and a
    file that is no longer there is not measured. seconds and hours are sums over the folds that are, peak_mb is the
    most memory (resident) of a fold.
    """
    rows = []
    for model, paths in benchmarks.items():
        there = [read_table(path, ["s", "max_rss"], "a benchmark") for path in paths if Path(path).is_file()]
        measured = pd.concat(there) if there else pd.DataFrame(columns=["s", "max_rss"])
        seconds = pd.to_numeric(measured["s"], errors="coerce").sum(min_count=1)
        peak = pd.to_numeric(measured["max_rss"], errors="coerce").max()
        rows.append({"model": model, "folds": len(paths), "measured": len(there), "seconds": seconds,
                     "hours": seconds / 3600, "peak_mb": peak})  # fmt: skip
    write_tsv(pd.DataFrame(rows, columns=COST), output)
    log.info("the training of %d models: %d of %d folds are measured", len(rows), sum(one["measured"] for one in rows),
             sum(one["folds"] for one in rows))  # fmt: skip
