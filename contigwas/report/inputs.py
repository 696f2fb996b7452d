"""Tables of other stages, as shown on the page: evaluation, downstream tasks, gene burdens."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import pandas as pd
from anndata.io import read_elem

from contigwas.privacy.small_counts import hidden
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import read_table


def evaluation_tables(paths: Sequence[PathLike]) -> dict[str, pd.DataFrame]:
    """Return the tables of the evaluation by file name; empty tables are left out, except `models`."""
    tables = {Path(path).stem: read_table(path, text=["feature"]) for path in paths}
    return {name: one for name, one in tables.items() if len(one) or name == "models"}


def task_summary(path: PathLike) -> pd.DataFrame:
    """Return the scores of a downstream task over all seeds.

    Differences are those with the first arm only. Scores of single classes and labels (`auroc:2`) are left out if the
    table has the score over all of them.
    """
    rows = read_table(path)
    rows = rows[rows["seed"].isna()].drop(columns="seed")
    if rows.empty:
        return rows
    plain = rows["metric"].str.partition(":")[0]
    rows = rows[(plain == rows["metric"]) | ~plain.isin(rows["metric"])]
    first = str(rows["arm"].iloc[0])
    return rows[~rows["arm"].str.contains(" - ", regex=False) | rows["arm"].str.startswith(f"{first} - ")]


def burden_masks(path: PathLike) -> pd.DataFrame:
    """Return genes with a carrier, their qualifying variants and numbers of carriers, by mask.

    Counts of one to four samples are hidden. With an even number of genes the lower of the two middle values is used as
    the median.
    """
    with h5py.File(path) as file:
        features = read_elem(file["var"])
    grouped = features.groupby(features["mask"].astype(str), sort=False)
    masks = grouped.agg(
        genes=("gene", "size"),
        variants=("variants", "sum"),
        carriers=("carriers", lambda counts: counts.quantile(0.5, interpolation="lower")),
        maximum=("carriers", "max"),
    )
    for name in ("carriers", "maximum"):
        masks[name] = pd.Series([hidden(count) for count in masks[name]], masks.index, dtype=object)
    masks = masks.rename_axis("mask").reset_index()
    return masks.rename(columns={"carriers": "median carriers per gene", "maximum": "maximum carriers per gene"})
