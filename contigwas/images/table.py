"""The table of decoded images: which are kept, and which one represents a sample. torch is not imported."""

import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import require


def read_images(table: PathLike) -> pd.DataFrame:
    """The kept images of images.parquet: row, iid and the other columns."""
    images = pd.read_parquet(require(table, "the table of images"))
    return images[images["kept"]]


def first_images(table: PathLike) -> pd.DataFrame:
    """The first kept image of each sample in the array of images, as `read_images` gives it, by IID."""
    return read_images(table).sort_values(["iid", "row"]).drop_duplicates("iid")
