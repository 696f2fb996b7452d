"""Positions of genes, looked up by name in a gene list, and genome order."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.loci.genes import read_genes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

VERSION = re.compile(r"^(ENS[A-Z]*\d+)\.\d+")
CHROMOSOMES = {name: rank for rank, name in enumerate([*map(str, range(1, 23)), "X", "Y", "MT"])}


def unversioned(name: str) -> str:
    """Return an Ensembl identifier without its version; other names are unchanged.

    >>> [unversioned(name) for name in ("ENSG00000141510.18", "TP53", "AC000123.4")]
    ['ENSG00000141510', 'TP53', 'AC000123.4']
    """
    return VERSION.sub(r"\1", name)


def positions(names: Sequence[str], path: PathLike | None) -> pd.DataFrame:
    """Return chrom (str) and start (float64, base pairs) of genes, indexed by `names`; empty and NaN if unknown.

    A name is looked up in the names of the gene list `path`, then in its identifiers (gene_id of a GTF), then in both
    without the Ensembl version. If several genes share a name, the first one in the genome is used. Raises UserError if
    the list has none of the genes.
    """
    table = pd.DataFrame({"chrom": "", "start": np.nan}, index=pd.Index(names, dtype=object))
    if path is None:
        return table
    listed = read_genes(path, ids=True, key="expression.genes")
    listed = listed.iloc[genomic(listed["chrom"], listed["start"])]
    stripped = pd.Index([unversioned(name) for name in names])
    for column, wanted, convert in (("name", table.index, None), ("id", table.index, None),
                                    ("name", stripped, unversioned), ("id", stripped, unversioned)):  # fmt: skip
        keys = listed[column] if convert is None else listed[column].map(convert)
        unique = listed[~keys.duplicated()].set_axis(keys[~keys.duplicated()], axis=0)
        matched = unique[["chrom", "start"]].reindex(wanted).set_axis(table.index, axis=0)
        fill = (table["chrom"] == "").to_numpy() & matched["chrom"].notna().to_numpy()
        table.loc[fill, "chrom"] = matched.loc[fill, "chrom"]
        table.loc[fill, "start"] = matched.loc[fill, "start"]
    if (table["chrom"] == "").all():
        raise UserError(
            f"{path} (expression.genes): none of the {len(names)} genes of expression.table (such as {names[0]}) is in "
            f"this list, which has genes such as {listed['name'].iat[0]}. Supply a list with the same names"
        )
    return table


def genomic(chrom: pd.Series, start: pd.Series) -> np.ndarray:
    """Return the order of genes along the genome: int64 (genes,).

    The chromosomes are 1 to 22, X, Y, MT, then others by name. Genes without a chromosome come last, in their order.
    """
    others = {name: len(CHROMOSOMES) + rank for rank, name in enumerate(sorted({*chrom} - {*CHROMOSOMES, ""}))}
    rank = chrom.map({**CHROMOSOMES, **others, "": len(CHROMOSOMES) + len(others)}).to_numpy()
    return np.lexsort((start.fillna(0).to_numpy(), rank))
