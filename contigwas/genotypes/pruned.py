"""The pruned variants of all chromosomes as one stream of blocks."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import GenotypeFiles, Genotypes, open_genotypes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import rows_of
from contigwas.tables.text import require


def sample_rows(bed: Genotypes, iids: Sequence[str]) -> np.ndarray:
    """Where each sample stands in the genotypes; UserError when one does not."""
    rows = rows_of(iids, bed.samples["iid"])
    if (rows < 0).any():
        raise UserError(f"{bed.path} lacks {(rows < 0).sum()} of {len(rows)} samples: run the stage samples again")
    return rows


class Pruned:
    """The pruned variants of all chromosomes for some samples, streamed as often as needed, whatever the files' order.

    Attributes:
        iids: the samples, the rows of every block.
        variants: the number of variants.
    """

    def __init__(
        self,
        genotype_files: GenotypeFiles,
        chromosomes: Sequence[object],
        pruned: Sequence[PathLike],
        iids: Sequence[str],
    ) -> None:
        """`pruned` are the tables written by `prune`, one for each of `chromosomes`, in the same order."""
        self.iids = np.asarray(iids, dtype=str)
        self._parts = []
        for chrom, path in zip(chromosomes, pruned, strict=True):
            rows = pd.read_parquet(require(path, "the pruned variants"), columns=["index"])["index"].to_numpy()
            if rows.size:
                bed = open_genotypes(genotype_files, chrom)
                self._parts.append((bed, sample_rows(bed, self.iids), rows))
        self.variants = sum(rows.size for _, _, rows in self._parts)

    def blocks(self, size: int = 1024, samples: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Dosages of at most `size` variants of one chromosome: int8 (samples, variants), -127 where not called.

        `samples` are positions in `iids`; None is everyone.
        """
        for bed, everyone, rows in self._parts:
            chosen = everyone if samples is None else everyone[samples]
            for _, block in bed.blocks(rows, chosen, size):
                yield block
