"""Where genes lie: positions by name from a list of genes, and the order of the genome."""

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
    """An Ensembl identifier without its version; any other name as it is.

    >>> [unversioned(name) for name in ("ENSG00000141510.18", "TP53", "AC000123.4")]
    ['ENSG00000141510', 'TP53', 'AC000123.4']
    """
    return VERSION.sub(r"\1", name)


def positions(names: Sequence[str], path: PathLike | None) -> pd.DataFrame:
    """chrom (str) and start (float64, base pairs) of genes, indexed by `names`; empty and NaN where they are unknown.

    A name is looked up among the names of the list, then among its identifiers (gene_id of a GTF), then without
    Ensembl's version on both sides. Of places that share a name the first in the genome counts. Raises UserError where
    the list has none of the genes.
    """
    table = pd.DataFrame({"chrom": "", "start": np.nan}, index=pd.Index(names, dtype=object))
    if path is None:
        return table
    known = read_genes(path, ids=True, key="expression.genes")
    known = known.iloc[genomic(known["chrom"], known["start"])]
    plain = pd.Index([unversioned(name) for name in names])
    for column, wanted, change in (("name", table.index, None), ("id", table.index, None), ("name", plain, unversioned),
                                   ("id", plain, unversioned)):  # fmt: skip
        listed = known[column] if change is None else known[column].map(change)
        once = known[~listed.duplicated()].set_axis(listed[~listed.duplicated()], axis=0)
        found = once[["chrom", "start"]].reindex(wanted).set_axis(table.index, axis=0)
        fill = (table["chrom"] == "").to_numpy() & found["chrom"].notna().to_numpy()
        table.loc[fill, "chrom"] = found.loc[fill, "chrom"]
        table.loc[fill, "start"] = found.loc[fill, "start"]
    if (table["chrom"] == "").all():
        raise UserError(
            f"{path} (expression.genes) has none of the {len(names)} genes of expression.table (such as {names[0]}; "
            f"its own are like {known['name'].iat[0]}): supply a list with the same names"
        )
    return table


def genomic(chrom: pd.Series, start: pd.Series) -> np.ndarray:
    """The order of genes along the genome: 1 to 22, X, Y, MT, then other names; those without a chromosome last, as
    they stand. int64 (genes,).
    """
    others = {name: len(CHROMOSOMES) + rank for rank, name in enumerate(sorted({*chrom} - {*CHROMOSOMES, ""}))}
    rank = chrom.map({**CHROMOSOMES, **others, "": len(CHROMOSOMES) + len(others)}).to_numpy()
    return np.lexsort((start.fillna(0).to_numpy(), rank))
