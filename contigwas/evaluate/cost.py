"""Time and memory of training, from Snakemake's benchmark files."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)
COST = ["model", "folds", "measured", "seconds", "hours", "peak_mb"]


def write_cost(benchmarks: Mapping[str, Sequence[PathLike]], output: PathLike) -> None:
    """Write time and memory of the training of each model: columns `COST`.

    `benchmarks` are Snakemake's benchmark files, one per fold. For training that was interrupted and resumed, they
    cover the last part only. Folds without a file are not measured. seconds and hours are sums over the measured folds;
    peak_mb is the maximum resident memory of a fold.
    """
    rows = []
    for model, paths in benchmarks.items():
        tables = [read_table(path, ["s", "max_rss"], "a benchmark") for path in paths if Path(path).is_file()]
        measured = pd.concat(tables) if tables else pd.DataFrame(columns=["s", "max_rss"])
        seconds = pd.to_numeric(measured["s"], errors="coerce").sum(min_count=1)
        peak = pd.to_numeric(measured["max_rss"], errors="coerce").max()
        rows.append({"model": model, "folds": len(paths), "measured": len(tables), "seconds": seconds,
                     "hours": seconds / 3600, "peak_mb": peak})  # fmt: skip
    write_tsv(pd.DataFrame(rows, columns=COST), output)
    log.info("training cost of %d models: %d of %d folds are measured", len(rows), sum(one["measured"] for one in rows),
             sum(one["folds"] for one in rows))  # fmt: skip
