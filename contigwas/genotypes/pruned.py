"""Stream the pruned variants of all chromosomes in blocks."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import GenotypeFiles, Genotypes, open_genotypes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import rows_of
from contigwas.tables.text import require


def sample_rows(genotypes: Genotypes, iids: Sequence[str]) -> np.ndarray:
    """Return the row of each sample in the genotypes: int64 (samples,). Raises UserError when a sample is missing."""
    rows = rows_of(iids, genotypes.samples["iid"])
    if (rows < 0).any():
        raise UserError(
            f"{genotypes.path}: {(rows < 0).sum()} of {len(rows)} samples are missing. Run the stage samples again."
        )
    return rows


class Pruned:
    """The pruned variants of all chromosomes for some samples. The order of samples may differ between files.

    Attributes:
        iids: IIDs of the samples, in the order of the rows of every block.
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
                genotypes = open_genotypes(genotype_files, chrom)
                self._parts.append((genotypes, sample_rows(genotypes, self.iids), rows))
        self.variants = sum(rows.size for _, _, rows in self._parts)

    def blocks(self, size: int = 1024, samples: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Yield hard calls of at most `size` variants of one chromosome: int8 (samples, variants), -127 where missing.

        `samples` are positions in `iids`. None means all samples.
        """
        for genotypes, all_rows, rows in self._parts:
            chosen = all_rows if samples is None else all_rows[samples]
            for _, block in genotypes.blocks(rows, chosen, size):
                yield block
