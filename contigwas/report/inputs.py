"""Tables of other stages, as the page shows them: evaluation, downstream tasks, burdens."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import pandas as pd
from anndata.io import read_elem

from contigwas.privacy.small_counts import hidden
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import read_table


def evaluation_tables(paths: Sequence[PathLike]) -> dict[str, pd.DataFrame]:
    """The tables of the evaluation by the name of their file; those without a row are left out, but for `models`."""
    tables = {Path(path).stem: read_table(path, text=["feature"]) for path in paths}
    return {name: one for name, one in tables.items() if len(one) or name == "models"}


def task_summary(path: PathLike) -> pd.DataFrame:
    """The rows of a downstream task over all its seeds, without those that compare others than the first arm, and those
    of single classes and labels (`auroc:2`) where the measure over all of them is there.
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
    """The burdens by mask: how many genes somebody carries, their qualifying variants, carriers of the median gene.

    Counts of one to four samples are not reported. Of an even number of genes the median is the lower of the middle two.
    """
    with h5py.File(path) as file:
        features = read_elem(file["var"])
    grouped = features.groupby(features["mask"].astype(str), sort=False)
    found = grouped.agg(
        genes=("gene", "size"),
        variants=("variants", "sum"),
        carriers=("carriers", lambda counts: counts.quantile(0.5, interpolation="lower")),
        most=("carriers", "max"),
    )
    for name in ("carriers", "most"):
        found[name] = pd.Series([hidden(count) for count in found[name]], found.index, dtype=object)
    found = found.rename_axis("mask").reset_index()
    return found.rename(columns={"carriers": "carriers of the median gene", "most": "carriers of the gene with most"})
