"""Lead variants of the loci for the figures: positions, labels, and results of the features."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.loci.gwas_file import features, read_columns, read_rows
from contigwas.plots.labels import shorten
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table

VARIANT = ["pos", "id", "effect_allele", "other_allele"]  # identifies a variant even if its ID is a dot
NEEDED = ["chrom", "pos", "lead_id", "effect_allele", "other_allele", "log10p", "genes"]


def read_leads(path: PathLike) -> pd.DataFrame:
    """Read loci.tsv with plain chromosome names, and add `label`: the nearest gene, or the ID if there is none.

    Raises UserError if the file or a column is missing.
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
    """Return -log10 p of features (all, or `wanted`) at the lead variants: (features, rows of `leads`).

    It is NaN if a feature was not tested. `path` is loci.tsv, named in the UserError if GWAS and loci do not match.
    """
    parts = []
    for chrom, file in gwas.items():
        of_chrom = leads[leads["chrom"] == chromosome(chrom)]
        if of_chrom.empty:
            continue
        rows = rows_of_leads(file, of_chrom, path)
        columns = {f"log10p_{name}": name for name in (features(file) if wanted is None else wanted)}
        parts.append(read_rows(file, rows, list(columns)).rename(columns=columns).set_axis(of_chrom.index))
    if not parts:
        return pd.DataFrame(index=wanted or [], columns=leads.index, dtype=float)
    return pd.concat(parts).reindex(leads.index).T.astype(float)


def rows_of_leads(file: PathLike, leads: pd.DataFrame, path: PathLike) -> np.ndarray:
    """Return the rows of the lead variants of one chromosome in its GWAS: int64 (leads,)."""
    near = np.flatnonzero(np.isin(read_columns(file, ["pos"])["pos"], leads["pos"]))
    variants = pd.MultiIndex.from_frame(read_rows(file, near, VARIANT))
    rows = variants.get_indexer_for(pd.MultiIndex.from_frame(leads.rename(columns={"lead_id": "id"})[VARIANT]))
    if len(rows) != len(leads) or (rows < 0).any():
        raise UserError(f"{path}: lead variants are missing or duplicated in {file}. Run the loci stage again.")
    return near[rows]
