"""The lead variants of the loci, for the figures: where they are, what they are called, what the features say there."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.loci.gwas_file import features, read_columns, read_rows
from contigwas.plots.labels import shorten
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table

VARIANT = ["pos", "id", "effect_allele", "other_allele"]  # names a variant, where its id is only a dot too
NEEDED = ["chrom", "pos", "lead_id", "effect_allele", "other_allele", "log10p", "genes"]


def read_leads(path: PathLike) -> pd.DataFrame:
    """loci.tsv with plain names of chromosomes and a column `label`: the nearest gene, or the id where there is none.

    Raises UserError when the file is missing or has not the columns of the loci.
    """
    loci = read_table(path, NEEDED, "the loci")
    loci["chrom"] = [chromosome(one) for one in loci["chrom"]]
    loci["log10p"] = pd.to_numeric(loci["log10p"]).astype(float)
    genes = loci["genes"].fillna("").astype(str).str.split(r"[, ]", regex=True).str[0]
    loci["label"] = [shorten(str(gene or name)) for gene, name in zip(genes, loci["lead_id"], strict=True)]
    return loci


def at_leads(
    gwas: Mapping[str, PathLike], leads: pd.DataFrame, path: PathLike, wanted: Sequence[str] | None = None
) -> pd.DataFrame:
    """-log10 p of features (all, or the `wanted`) at the lead variants: features x rows of `leads`.

    NaN where a feature was not tested. `path` is loci.tsv, for what a UserError says when the two do not fit.
    """
    parts = []
    for chrom, file in gwas.items():
        here = leads[leads["chrom"] == chromosome(chrom)]
        if here.empty:
            continue
        rows = rows_of_leads(file, here, path)
        columns = {f"log10p_{name}": name for name in (features(file) if wanted is None else wanted)}
        parts.append(read_rows(file, rows, list(columns)).rename(columns=columns).set_axis(here.index))
    if not parts:
        return pd.DataFrame(index=wanted or [], columns=leads.index, dtype=float)
    return pd.concat(parts).reindex(leads.index).T.astype(float)


def rows_of_leads(file: PathLike, leads: pd.DataFrame, path: PathLike) -> np.ndarray:
    """Where the leads of one chromosome stand in its GWAS: int64 (leads,)."""
    near = np.flatnonzero(np.isin(read_columns(file, ["pos"])["pos"], leads["pos"]))
    variants = pd.MultiIndex.from_frame(read_rows(file, near, VARIANT))
    rows = variants.get_indexer_for(pd.MultiIndex.from_frame(leads.rename(columns={"lead_id": "id"})[VARIANT]))
    if len(rows) != len(leads) or (rows < 0).any():
        raise UserError(f"{path} names lead variants that {file} has not, or has twice: run the loci stage again")
    return near[rows]
