"""The pruned variants of all chromosomes as one stream of blocks."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import Genotypes, open_genotypes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import rows_of
from contigwas.tables.text import require


def person_rows(bed: Genotypes, iids: Sequence[str]) -> np.ndarray:
    """Where each person stands in the genotypes; UserError when one does not."""
    rows = rows_of(iids, bed.people["iid"])
    if (rows < 0).any():
        raise UserError(f"{bed.path} lacks {(rows < 0).sum()} of {len(rows)} people: run the stage samples again")
    return rows


class Pruned:
    """The pruned variants of all chromosomes for some people, streamed as often as needed, whatever the files' order.

    Attributes:
        iids: the people, the rows of every block.
        variants: the number of variants.
    """

    def __init__(
        self, pattern: PathLike, chromosomes: Sequence[object], pruned: Sequence[PathLike], iids: Sequence[str]
    ) -> None:
        """`pruned` are the tables written by `prune`, one for each of `chromosomes`, in the same order."""
        self.iids = np.asarray(iids, dtype=str)
        self._parts = []
        for chrom, path in zip(chromosomes, pruned, strict=True):
            rows = pd.read_parquet(require(path, "the pruned variants"), columns=["index"])["index"].to_numpy()
            if rows.size:
                bed = open_genotypes(pattern, chrom)
                self._parts.append((bed, person_rows(bed, self.iids), rows))
        self.variants = sum(rows.size for _, _, rows in self._parts)

    def blocks(self, size: int = 1024, people: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Dosages of at most `size` variants of one chromosome: int8 (people, variants), -127 where not called.

        `people` are positions in `iids`; None is everyone.
        """
        for bed, everyone, rows in self._parts:
            chosen = everyone if people is None else everyone[people]
            for _, block in bed.blocks(rows, chosen, size):
                yield block
