"""Technical covariates from images: means of numbers, and shares of categories such as camera or eye."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.covariates import FACTOR, MAX_LEVELS, UNKNOWN
from contigwas.tables.sample_ids import require_overlap
from contigwas.tables.text import require

NOT_COVARIATES = ("row", "iid", "source", "kept", "reason")  # columns of the table of images that are not covariates


def image_covariates(names: Sequence[str], images: PathLike, samples: pd.Index) -> pd.DataFrame:
    """Return columns of the table `images` as covariates of `samples`: float64, indexed by iid; NaN where missing.

    A numeric column becomes the mean over the kept images of a sample. A text, or `factor(name)`, becomes the share of
    images with each level except the first (`name=level`). The levels are those of samples with all columns. Images
    without a value are ignored. Raises UserError if a name does not exist or has more than 20 levels, and if none of
    `samples` has an image.
    """
    table = pd.read_parquet(require(images, "the table of images"))
    wanted = {name: factor[1] if (factor := FACTOR.fullmatch(name)) else name for name in names}
    available = [name for name in table.columns if name not in NOT_COVARIATES]
    missing = [column for column in wanted.values() if column not in available]
    if missing:
        raise UserError(
            f"config: gwas.image_covariates names {', '.join(missing[:5])}, but the images ({images}) have only "
            f"{', '.join(map(str, available[:40]))}. Correct the names, or add the columns to images.table"
        )
    table = table[table["kept"]]
    require_overlap(samples, table["iid"].unique(), "the samples to test", f"the images ({images})")
    table = table[table["iid"].isin(samples)]
    observed = pd.DataFrame(
        {name: ~table[column].isin(UNKNOWN) & table[column].notna() for name, column in wanted.items()}
    )
    complete = observed.groupby(table["iid"]).any().all(axis=1)
    incomplete = table["iid"].isin(complete.index[~complete])
    columns: dict[str, pd.Series] = {}
    for name, column in wanted.items():
        owner, values = table["iid"][observed[name]], table[column][observed[name]]
        if pd.api.types.is_numeric_dtype(values) and name == column:
            columns[name] = values.astype(np.float64).groupby(owner).mean()
            continue
        levels = sorted(values[~incomplete].unique())
        if len(levels) > MAX_LEVELS:
            raise UserError(
                f"{images}: column {column} has {len(levels)} different values, but the maximum is {MAX_LEVELS}. "
                "Combine rare values in images.table, or drop it from gwas.image_covariates"
            )
        # With one level a column of zeros is kept, so that it is reported as a constant covariate.
        for label, level in [(f"{name}={level}", level) for level in levels[1:]] or [(name, None)]:
            columns[label] = (values == level).astype(np.float64).groupby(owner).mean()
    return pd.DataFrame(columns).reindex(samples)
