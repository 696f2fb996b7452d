"""Which image stands for a person where one is shown or explained."""

import pandas as pd

from contigwas.files import PathLike
from contigwas.pretrain.data import read_images


def first_images(table: PathLike) -> pd.DataFrame:
    """The first kept image of each person in the array of images, as `read_images` gives it, by IID."""
    return read_images(table).sort_values(["iid", "row"]).drop_duplicates("iid")
