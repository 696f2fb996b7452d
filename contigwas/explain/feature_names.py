"""Names and genomic positions of the features of a modality."""

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import require


def describe(path: PathLike) -> pd.DataFrame:
    """Return the features of a modality's file, in its order: columns `feature name chrom pos`.

    `name` is the gene of a burden, the trait of a score, otherwise the feature itself. `chrom` is empty and `pos` 0 for
    features without a position. The position of a gene is its start.
    """
    import anndata as ad

    data = ad.read_h5ad(require(path, "the modality"), backed="r")
    var = data.var
    data.file.close()
    feature = var.index.astype(str)
    table = pd.DataFrame({"feature": feature, "name": feature})
    for column in ("gene", "trait"):
        if column in var:
            names = var[column].astype(str).str.strip().to_numpy()
            table["name"] = np.where(np.isin(names, ["", "nan", "None", "NA"]), feature, names)
    position = next((column for column in ("pos", "start") if column in var), None)
    if "chrom" not in var or position is None:
        return table.assign(chrom="", pos=np.int64(0))
    pos = pd.to_numeric(var[position], errors="coerce").fillna(0).to_numpy().astype(np.int64)
    chrom = np.array([_chromosome_name(one) for one in var["chrom"].astype(object)], dtype=object)
    has_position = (chrom != "") & (pos > 0)
    return table.assign(chrom=np.where(has_position, chrom, ""), pos=np.where(has_position, pos, 0))


def _chromosome_name(name: object) -> str:
    """Return a chromosome's name, empty for a missing value; a numeric column with gaps holds floats."""
    if pd.isna(name) or name == "":
        return ""
    return chromosome(int(name) if isinstance(name, float) and name.is_integer() else name)
