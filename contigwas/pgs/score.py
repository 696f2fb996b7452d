"""All scores of all people in one pass over the variants."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.files import PathLike
from contigwas.genotypes.pruned import person_rows
from contigwas.genotypes.reader import open_genotypes
from contigwas.modality import MISSING
from contigwas.pgs.matching import Match

log = logging.getLogger(__name__)

BLOCK_BYTES = 2**29  # of a block of float64 dosages
DENSE = 0.05  # share of nonzero weights in a block above which a dense product is faster than a sparse one


@dataclass(frozen=True)
class Weights:
    """The weights of all scores, for the dosage D of the genotypes' effect allele.

    A person's sum is constant + linear · D + excess · max(D - 1, 0): whatever weights the dosages 0, 1 and 2 have.
    constant: float64 (scores,); linear, excess: float64 CSR (variants, scores).
    """

    constant: np.ndarray
    linear: sparse.csr_array
    excess: sparse.csr_array

    @property
    def used(self) -> np.ndarray:
        """The variants with a weight in any score: bool (variants,)."""
        return (np.diff(self.linear.indptr) > 0) | (np.diff(self.excess.indptr) > 0)


def assemble(scores: Sequence[tuple[np.ndarray, Match]], variants: int) -> Weights:
    """Collect scores, each its weights w0, w1, w2 (rows, 3) for 0, 1, 2 effect alleles, and its match.

    Where the score counts the other allele, the weights are turned round.
    """
    constant = np.zeros(len(scores))
    linear, excess, rows = [], [], []
    for number, (weights, found) in enumerate(scores):
        chosen = np.where(found.swapped[:, None], weights[:, ::-1], weights)[found.used]
        constant[number] = chosen[:, 0].sum()
        linear.append(chosen[:, 1] - chosen[:, 0])
        # The sum of the outer two is exactly twice the middle one for additive weights: no rounding leaves a rest.
        excess.append((chosen[:, 0] + chosen[:, 2]) - 2 * chosen[:, 1])
        rows.append(found.variant[found.used])
    shape = (variants, len(scores))
    return Weights(constant, _matrix(linear, rows, shape), _matrix(excess, rows, shape))


def _matrix(values: list[np.ndarray], rows: list[np.ndarray], shape: tuple[int, int]) -> sparse.csr_array:
    """Columns of values at rows, as CSR without stored zeros."""
    ends = np.cumsum([0, *map(len, rows)])
    columns = sparse.csc_array((np.concatenate(values), np.concatenate(rows), ends), shape=shape)
    columns.eliminate_zeros()
    return columns.tocsr()


def score_sums(pattern: PathLike, variants: pd.DataFrame, weights: Weights, iids: Sequence[str]) -> np.ndarray:
    """Sums of weights: float64 (scores, people).

    `variants` has `chrom` and `index` (position in the chromosome's `Genotypes.variants`) for the rows of `weights`. A
    missing call is 2 x the effect allele's frequency among `iids`. Peak memory is people x (scores + block).
    """
    size = max(1, min(1024, BLOCK_BYTES // (8 * max(len(iids), 1))))
    sums = np.repeat(weights.constant[:, None], len(iids), axis=1)
    used, never = weights.used, 0
    chroms, index = variants["chrom"].to_numpy(), variants["index"].to_numpy()
    for chrom in pd.unique(chroms):
        rows = np.flatnonzero((chroms == chrom) & used)
        if not rows.size:
            continue
        bed, start = open_genotypes(pattern, chrom), 0
        for part, block in bed.blocks(index[rows], person_rows(bed, iids), size):
            here = rows[start : start + part.size]
            start += part.size
            dosages, uncalled = imputed(block)
            never += uncalled
            _add(sums, weights.linear[here], dosages)
            excess = weights.excess[here]
            if excess.nnz:
                np.maximum(dosages - 1, 0, out=dosages)
                _add(sums, excess, dosages)
    if never:
        log.warning("%d matched variants are called in nobody: their dosage is taken as 0", never)
    return sums


def imputed(block: np.ndarray) -> tuple[np.ndarray, int]:
    """Dosages float64 (variants, people) of an int8 block (people, variants); a missing call is the variant's mean.

    Also the number of variants that are called in nobody (dosage 0).
    """
    calls = block.T
    missing = calls == MISSING
    dosages = calls.astype(np.float64)
    absent = missing.sum(axis=1)
    if not absent.any():
        return dosages, 0
    dosages[missing] = 0
    called = block.shape[0] - absent
    mean = np.divide(dosages.sum(axis=1), called, out=np.zeros(called.size), where=called > 0)
    dosages[missing] = np.repeat(mean, absent)
    return dosages, int((called == 0).sum())


def _add(sums: np.ndarray, weights: sparse.csr_array, dosages: np.ndarray) -> None:
    """Add weightsᵀ (scores, variants) x dosages (variants, people) to `sums`, by the faster kind of product."""
    if weights.nnz > DENSE * weights.shape[0] * weights.shape[1]:
        sums += weights.toarray().T @ dosages
        return
    columns = np.flatnonzero(np.bincount(weights.indices, minlength=weights.shape[1]))
    sums[columns] += weights[:, columns].T.tocsr() @ dosages
