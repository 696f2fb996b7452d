"""Result of a clustering, with small counts hidden."""

from dataclasses import dataclass

import pandas as pd

from contigwas.downstream.clusters.agreement import Agreement
from contigwas.downstream.clusters.partitions import Partition
from contigwas.privacy.small_counts import suppress_small_cells, suppress_small_counts


@dataclass(frozen=True)
class ClusteringResult:
    """Result of a clustering.

    criterion: mean silhouette by k; k: chosen number of clusters; partitions: by arm; names: names of the labels, if
    any; agreements: agreement of the arms and of the probe with the labels; without: number of samples without a label;
    rows: tidy table of the scores.
    """

    criterion: dict[int, float]
    k: int
    partitions: dict[str, Partition]
    names: list[str]
    agreements: dict[str, Agreement]
    without: int
    rows: pd.DataFrame

    def sizes(self, arm: str) -> list[int | str]:
        """Return the sizes of the clusters and of noise (last), small counts hidden, for a task without labels."""
        return suppress_small_counts([*self.partitions[arm].sizes, self.partitions[arm].noise])

    def table(self, arm: str) -> list[list[int | str]]:
        """Return the contingency table of an arm, small counts hidden."""
        return suppress_small_cells(self.agreements[arm].counts, self.without)
