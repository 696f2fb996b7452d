"""Explanations of a model, as shown on the page."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import read_table

MAX_FEATURES = 10  # per modality
COLUMNS = ["rank", "feature", "name", "chrom", "pos", "mean_abs", "low", "high", "mean"]


@dataclass(frozen=True)
class Explanations:
    """The two figures, tables of modalities and completeness, and the top features by method and modality."""

    genome: PathLike
    top: PathLike
    modalities: pd.DataFrame
    completeness: pd.DataFrame
    features: Mapping[tuple[str, str], pd.DataFrame]


def explanations(files: Mapping[str, PathLike]) -> Explanations:
    """Return the explanations of a model from features.parquet, modalities.tsv, completeness.tsv and its figures."""
    features = pd.read_parquet(files["features"])
    return Explanations(
        genome=files["genome"],
        top=files["top"],
        modalities=read_table(files["modalities"]),
        completeness=read_table(files["completeness"]),
        features={
            (str(method), str(modality)): top_features(rows)
            for (method, modality), rows in features.groupby(["method", "modality"], sort=False, observed=True)
        },
    )


def top_features(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the features with the largest mean absolute attribution and their rank; positions only if any is known."""
    top = rows.nlargest(MAX_FEATURES, "mean_abs").reset_index(drop=True)
    top.insert(0, "rank", range(1, len(top) + 1))
    top = top[COLUMNS].astype({"chrom": str})
    if (top["name"].astype(str) == top["feature"].astype(str)).all():
        top = top.drop(columns="name")
    return top if (top["pos"] > 0).any() else top.drop(columns=["chrom", "pos"])
