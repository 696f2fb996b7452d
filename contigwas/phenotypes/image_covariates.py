"""Technical covariates of samples' images: means of figures, and shares of categories such as camera or eye."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.covariates import FACTOR, LEVELS, UNKNOWN
from contigwas.tables.sample_ids import require_overlap
from contigwas.tables.text import require

NO_FIGURE = ("row", "iid", "source", "kept", "reason")  # whose an image is, where it lies, and whether it counts


def image_covariates(names: Sequence[str], images: PathLike, samples: pd.Index) -> pd.DataFrame:
    """Columns of the table `images` as covariates of `samples`, float64, indexed by iid; NaN where unknown.

    Of numbers it is the mean over a sample's kept images; of text, or of `factor(name)`, the share of them with each
    level but the first (`name=level`). Levels are those of samples that miss nothing. An image without a value counts
    for nobody. Raises UserError when a name does not exist (it lists those that do), has more than 20 levels, and when
    none of `samples` has an image.
    """
    table = pd.read_parquet(require(images, "the table of images"))
    wanted = {name: factor[1] if (factor := FACTOR.fullmatch(name)) else name for name in names}
    exist = [name for name in table.columns if name not in NO_FIGURE]
    absent = [column for column in wanted.values() if column not in exist]
    if absent:
        raise UserError(
            f"config: gwas.image_covariates names {', '.join(absent[:5])}, but the images ({images}) have only "
            f"{', '.join(map(str, exist[:40]))}: correct the names, or add the columns to images.table"
        )
    table = table[table["kept"]]
    require_overlap(samples, table["iid"].unique(), "the samples to test", f"the images ({images})")
    table = table[table["iid"].isin(samples)]
    known = pd.DataFrame(
        {name: ~table[column].isin(UNKNOWN) & table[column].notna() for name, column in wanted.items()}
    )
    able = known.groupby(table["iid"]).any().all(axis=1)
    lacking = table["iid"].isin(able.index[~able])
    columns: dict[str, pd.Series] = {}
    for name, column in wanted.items():
        owner, values = table["iid"][known[name]], table[column][known[name]]
        if pd.api.types.is_numeric_dtype(values) and name == column:
            columns[name] = values.astype(np.float64).groupby(owner).mean()
            continue
        levels = sorted(values[~lacking].unique())
        if len(levels) > LEVELS:
            raise UserError(
                f"{images}: {column} has {len(levels)} different values (at most {LEVELS} become shares of a sample's "
                "images): put rare ones together in images.table, or drop it from gwas.image_covariates"
            )
        # without a second level a column of zeros stays, so that the constant is named like any other
        for label, level in [(f"{name}={level}", level) for level in levels[1:]] or [(name, None)]:
            columns[label] = (values == level).astype(np.float64).groupby(owner).mean()
    return pd.DataFrame(columns).reindex(samples)
