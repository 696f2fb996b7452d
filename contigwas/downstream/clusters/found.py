"""What a clustering found, as it is written and drawn; small counts of people are not told."""

from dataclasses import dataclass

import pandas as pd

from contigwas.downstream.clusters.agreement import Agreement
from contigwas.downstream.clusters.partitions import Partition

LEAST = 5  # people: a smaller count could point at somebody


@dataclass(frozen=True)
class Found:
    """criterion: the mean silhouette by k; k: the one taken; partitions: by arm; names: of the labels, if any.

    agreements: of the arms, and of the probe, with the labels; rows: the tidy table.
    """

    criterion: dict[int, float]
    k: int
    partitions: dict[str, Partition]
    names: list[str]
    agreements: dict[str, Agreement]
    rows: pd.DataFrame


def hidden(count: int) -> int | str:
    """A count of people as it may be told.

    >>> hidden(3), hidden(0), hidden(12)
    ('<5', 0, 12)
    """
    return f"<{LEAST}" if 0 < count < LEAST else int(count)
