"""What the features of a modality are called, and where they lie."""

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import require


def describe(path: PathLike) -> pd.DataFrame:
    """The features of a modality's file, in its order: `feature name chrom pos`.

    `name` is the gene of a burden, what a scoring file calls its trait, else the feature itself; `chrom` is empty and
    `pos` 0 where nothing is known of the place. A gene's place is its start.
    """
    import anndata as ad

    data = ad.read_h5ad(require(path, "the modality"), backed="r")
    var = data.var
    data.file.close()
    feature = var.index.astype(str)
    table = pd.DataFrame({"feature": feature, "name": feature})
    for column in ("gene", "trait"):
        if column in var:
            reported = var[column].astype(str).str.strip().to_numpy()
            table["name"] = np.where(np.isin(reported, ["", "nan", "None", "NA"]), feature, reported)
    place = next((column for column in ("pos", "start") if column in var), None)
    if "chrom" not in var or place is None:
        return table.assign(chrom="", pos=np.int64(0))
    pos = pd.to_numeric(var[place], errors="coerce").fillna(0).to_numpy().astype(np.int64)
    chrom = np.array([_plain(one) for one in var["chrom"].astype(object)], dtype=object)
    known = (chrom != "") & (pos > 0)
    return table.assign(chrom=np.where(known, chrom, ""), pos=np.where(known, pos, 0))


def _plain(name: object) -> str:
    """A chromosome's plain name; empty where there is none. A column of numbers with a gap holds them as floats."""
    if pd.isna(name) or name == "":
        return ""
    return chromosome(int(name) if isinstance(name, float) and name.is_integer() else name)
