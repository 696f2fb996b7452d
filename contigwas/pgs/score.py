"""All scores of all samples in one pass over the variants."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from contigwas.genotypes.pruned import sample_rows
from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.pgs.matching import Match

log = logging.getLogger(__name__)

BLOCK_BYTES = 2**27  # of a block of float32 dosages
DENSE = 0.01  # share of nonzero weights in a block above which a dense product is faster than a sparse one


@dataclass(frozen=True)
class Weights:
    """The weights of all scores, for the dosage D of the genotypes' effect allele.

    A sample's sum is constant + linear · D + excess · max(D - 1, 0), over variants, whatever weights the dosages 0, 1
    and 2 have. All three: float64 CSR (variants, scores).
    """

    constant: sparse.csr_array
    linear: sparse.csr_array
    excess: sparse.csr_array

    @property
    def used(self) -> np.ndarray:
        """The variants with a weight in any score: bool (variants,)."""
        return np.any([np.diff(one.indptr) > 0 for one in (self.constant, self.linear, self.excess)], axis=0)


@dataclass(frozen=True)
class Scored:
    """What one pass over the genotypes gives.

    sums: float64 (scores, samples); dropped: bool (variants,), those that `qc` took out of every score.
    """

    sums: np.ndarray
    dropped: np.ndarray


def assemble(scores: Sequence[tuple[np.ndarray, Match]], variants: int) -> Weights:
    """Collect scores, each its weights, (rows,) of an effect allele or (rows, 3) of 0, 1 and 2 of them, and its match.

    Where the score counts the other allele, the weights are turned round. Scores of one table, which share their match,
    are collected at once.
    """
    parts = []
    for _, group in groupby(scores, lambda score: (id(score[1]), score[0].ndim)):
        weights, matches = zip(*group, strict=True)
        if len(weights) > 1:
            parts.append(_table(np.column_stack(weights), matches[0], variants))
        elif parts and isinstance(parts[-1], list):
            parts[-1].append((weights[0], matches[0]))
        else:
            parts.append([(weights[0], matches[0])])
    weights = [_apart(part, variants) if isinstance(part, list) else part for part in parts]
    if len(weights) == 1:
        return weights[0]
    return Weights(*(sparse.hstack(part, format="csr") for part in zip(*map(_matrices, weights), strict=True)))


def _matrices(weights: Weights) -> tuple[sparse.csr_array, ...]:
    return weights.constant, weights.linear, weights.excess


def _table(weights: np.ndarray, found: Match, variants: int) -> Weights:
    """Weights (rows, scores) of one table."""
    used = np.flatnonzero(found.used)
    used = used[np.argsort(found.variant[used], kind="stable")]
    swapped, rows = found.swapped[used], found.variant[used]
    linear = weights[used]
    linear[swapped] *= -1
    matrices = [_rows(-2 * linear[swapped], rows[swapped], variants), _rows(linear, rows, variants)]
    return Weights(*matrices, sparse.csr_array(matrices[0].shape))


def _rows(values: np.ndarray, rows: np.ndarray, variants: int) -> sparse.csr_array:
    """A matrix (variants, scores) whose ascending `rows` are `values`, without stored zeros."""
    count = values.shape[1]
    ends = np.zeros(variants + 1, np.int64)
    ends[rows + 1] = count
    columns = np.tile(np.arange(count, dtype=np.int32), rows.size)
    found = sparse.csr_array((values.ravel(), columns, np.cumsum(ends)), shape=(variants, count))
    found.eliminate_zeros()
    return found


def _apart(scores: Sequence[tuple[np.ndarray, Match]], variants: int) -> Weights:
    """Scores whose rows are their own."""
    constant, linear, excess = (_Entries(variants, len(scores)) for _ in range(3))
    for number, (weights, found) in enumerate(scores):
        used = found.used
        swapped, rows, chosen = found.swapped[used], found.variant[used], weights[used]
        if weights.ndim == 1:
            linear.add(number, rows, np.where(swapped, -chosen, chosen))
            constant.add(number, rows[swapped], 2 * chosen[swapped])
        else:
            chosen = np.where(swapped[:, None], chosen[:, ::-1], chosen)
            constant.add(number, rows, chosen[:, 0])
            linear.add(number, rows, chosen[:, 1] - chosen[:, 0])
            # The sum of the outer two is exactly twice the middle one for additive weights: no rounding leaves a rest.
            excess.add(number, rows, (chosen[:, 0] + chosen[:, 2]) - 2 * chosen[:, 1])
    return Weights(*(entries.matrix() for entries in (constant, linear, excess)))


class _Entries:
    """Nonzero entries of a matrix (variants, scores), gathered score by score."""

    def __init__(self, variants: int, scores: int) -> None:
        self._shape = variants, scores
        self._values: list[np.ndarray] = [np.empty(0)]
        self._rows: list[np.ndarray] = [np.empty(0, np.int32)]
        self._counts = np.zeros(scores, np.int64)

    def add(self, score: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Entries of the column `score`."""
        some = values != 0
        self._values.append(values[some])
        self._rows.append(rows[some].astype(np.int32))
        self._counts[score] = np.count_nonzero(some)

    def matrix(self) -> sparse.csr_array:
        """All entries, without stored zeros."""
        ends = np.concatenate([[0], np.cumsum(self._counts)])
        ends = ends.astype(np.int32) if ends[-1] < 2**31 else ends
        values = np.concatenate(self._values), np.concatenate(self._rows), ends
        return sparse.csc_array(values, shape=self._shape).tocsr()


def score_sums(
    genotype_files: GenotypeFiles,
    variants: pd.DataFrame,
    weights: Weights,
    iids: Sequence[str],
    threads: int = 1,
    qc: Mapping[str, float] | None = None,
) -> Scored:
    """Sums of weights, over hard calls or, where the file has them, dosages.

    `variants` has `chrom` and `index` (position in the chromosome's `Genotypes.variants`) for the rows of `weights`. A
    missing call is 2 x the effect allele's frequency among `iids`. With `qc` (`maf`, `info`), variants of a lower
    minor-allele frequency, or of a lower imputation quality (MaCH's r²) where the file has dosages, are taken out.
    Products are float32 of dosages less their mean; means, and sums over blocks, are float64, and the same for any
    number of threads. Peak memory is samples x (scores + threads x block).
    """
    count = weights.linear.shape[1]
    size = max(1, min(1024, BLOCK_BYTES // (4 * max(len(iids), 1))))
    used = np.flatnonzero(weights.used)
    sums = np.zeros((count, len(iids)))
    means, dropped, never = np.zeros(len(variants)), np.zeros(len(variants), bool), 0
    blocks = _blocks(genotype_files, variants, used, iids, size)
    bar = tqdm(total=used.size, desc="scores", unit="variant", disable=None)
    # One BLAS thread for each block, and as many blocks as threads: nobody waits for another inside a product.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(max(1, threads)) as pool, bar:
        waiting: deque[tuple[np.ndarray, Future]] = deque()

        def settle() -> int:
            rows, future = waiting.popleft()
            part = future.result()
            means[rows], dropped[rows] = part.mean, part.dropped
            for columns, values in part.products:
                sums[columns] += values
            bar.update(rows.size)
            return part.never

        for rows, block in blocks:
            waiting.append((rows, pool.submit(_part, block, weights.linear[rows], weights.excess[rows], qc)))
            if len(waiting) > threads:
                never += settle()
        while waiting:
            never += settle()
    enters = (~dropped).astype(np.float64)
    sums += (weights.constant.T @ enters + weights.linear.T @ (means * enters))[:, None]
    if never:
        log.warning("%d matched variants are called in nobody: their dosage is taken as 0", never)
    return Scored(sums, dropped)


def _blocks(
    genotype_files: GenotypeFiles, variants: pd.DataFrame, used: np.ndarray, iids: Sequence[str], size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of `variants` among `used`, and their values (samples, variants), chromosome by chromosome."""
    chroms, index = variants["chrom"].to_numpy()[used], variants["index"].to_numpy()[used]
    for chrom in pd.unique(chroms):
        rows = used[chroms == chrom]
        genotypes, start = open_genotypes(genotype_files, chrom, 1), 0
        for part, block in genotypes.blocks(index[chroms == chrom], sample_rows(genotypes, iids), size, dosages=True):
            yield rows[start : start + part.size], block
            start += part.size


@dataclass(frozen=True)
class _Part:
    """What a block adds: mean dosages and what qc drops (variants,); products: scores and what to add to their sums."""

    mean: np.ndarray
    dropped: np.ndarray
    never: int
    products: list[tuple[np.ndarray | slice, np.ndarray]]


def _part(
    block: np.ndarray, linear: sparse.csr_array, excess: sparse.csr_array, qc: Mapping[str, float] | None
) -> _Part:
    """The part of a block of values (samples, variants) in every score, without the constants and the means."""
    centred, mean, called = centre(block)
    dropped = np.zeros(mean.size, bool)
    if qc is not None:
        dropped = np.minimum(mean / 2, 1 - mean / 2) < qc["maf"]
        if block.dtype.kind == "f":
            expected = mean * (1 - mean / 2)  # 2p(1-p)
            variance = np.einsum("ij,ij->i", centred, centred, dtype=np.float64) / np.maximum(called, 1)
            dropped |= np.divide(variance, expected, out=np.zeros_like(mean), where=expected > 0) < qc["info"]
        if dropped.any():
            keep = sparse.diags_array((~dropped).astype(np.float64))
            linear, excess = (keep @ linear).tocsr(), (keep @ excess).tocsr()
    products = [_product(linear, centred)]
    if excess.nnz:
        centred += mean[:, None].astype(np.float32)
        centred -= 1
        products.append(_product(excess, np.maximum(centred, 0, out=centred)))
    return _Part(mean, dropped, int((called == 0).sum()), products)


def centre(block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dosages less their mean, 0 where missing: float32 (variants, samples); the means, float64, and samples called.

    `block` is int8 (samples, variants), negative where missing, or float32 with NaN. Where nobody is called it is 0.
    """
    calls = block.T
    missing = np.isnan(calls) if block.dtype.kind == "f" else calls < 0
    absent = np.count_nonzero(missing, axis=1)
    dosages = calls.astype(np.float32, order="C")
    some = absent.any()
    if some:
        dosages[missing] = 0
    called = block.shape[0] - absent
    mean = np.divide(dosages.sum(axis=1, dtype=np.float64), called, out=np.zeros(called.size), where=called > 0)
    mean = mean.astype(np.float32)  # what is taken out here is what is put back into the sums, to the last bit
    dosages -= mean[:, None]
    if some:
        dosages[missing] = 0
    return dosages, mean.astype(np.float64), called


def _product(weights: sparse.csr_array, dosages: np.ndarray) -> tuple[np.ndarray | slice, np.ndarray]:
    """weightsᵀ (scores, variants) x dosages (variants, samples) by the faster kind of product; the scores it is of."""
    if weights.nnz > DENSE * weights.shape[0] * weights.shape[1]:
        return slice(None), weights.toarray().T.astype(np.float32) @ dosages
    columns = np.flatnonzero(np.bincount(weights.indices, minlength=weights.shape[1]))
    return columns, weights[:, columns].T.tocsr().astype(np.float32) @ dosages
