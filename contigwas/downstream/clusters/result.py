"""What a clustering found, as it is written and drawn."""

from dataclasses import dataclass

import pandas as pd

from contigwas.downstream.clusters.agreement import Agreement
from contigwas.downstream.clusters.partitions import Partition
from contigwas.privacy.small_counts import reported, reported_table


@dataclass(frozen=True)
class Found:
    """criterion: the mean silhouette by k; k: the one taken; partitions: by arm; names: of the labels, if any.

    agreements: of the arms, and of the probe, with the labels; without: samples that have no label; rows: the tidy table.
    """

    criterion: dict[int, float]
    k: int
    partitions: dict[str, Partition]
    names: list[str]
    agreements: dict[str, Agreement]
    without: int
    rows: pd.DataFrame

    def sizes(self, arm: str) -> list[int | str]:
        """Samples of each cluster, and last of noise, as they may be reported where there are no labels."""
        return reported([*self.partitions[arm].sizes, self.partitions[arm].noise])

    def table(self, arm: str) -> list[list[int | str]]:
        """The counts of an arm's agreement as they may be reported."""
        return reported_table(self.agreements[arm].counts, self.without)
