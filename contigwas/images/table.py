"""Read the table of decoded images: the kept images, and the first image of each sample. Does not import torch."""

import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import require


def read_images(table: PathLike) -> pd.DataFrame:
    """Return the kept images of images.parquet: row, iid and the other columns."""
    images = pd.read_parquet(require(table, "the table of images"))
    return images[images["kept"]]


def first_images(table: PathLike) -> pd.DataFrame:
    """Return the first kept image of each sample, in the order of the array, sorted by IID."""
    return read_images(table).sort_values(["iid", "row"]).drop_duplicates("iid")
