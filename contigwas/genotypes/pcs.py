"""Genetic principal components: fitted on unrelated samples, with relatives projected."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.genotypes.prune import prune
from contigwas.genotypes.pruned import Pruned
from contigwas.genotypes.reader import GenotypeFiles
from contigwas.genotypes.samples import read_passing_iids
from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.runtime.errors import UserError
from contigwas.samples.families import related_pairs, unrelated
from contigwas.tables.text import require

__all__ = ["principal_components", "prune"]

log = logging.getLogger(__name__)

STAGE = 11  # keeps the random numbers of this stage apart from those of other stages
OVERSAMPLING = 10  # additional columns of a Krylov block
MAX_PASSES = 40  # over the genotypes
TOLERANCE = 1e-4  # residual of a component relative to its eigenvalue


def principal_components(
    genotype_files: GenotypeFiles,
    chromosomes: Sequence[object],
    pruned: Sequence[PathLike],
    samples: PathLike,
    kinship: PathLike | None,
    pcs: int,
    seed: int,
    output: PathLike,
) -> None:
    """Write `iid PC1 … PCk` for the kept samples, on the scale of unit-length eigenvectors.

    Genotypes are standardised with the allele frequencies of the unrelated samples, and missing calls are set to the
    mean. The leading eigenvectors of the relationship matrix of the unrelated samples come from a block Lanczos
    iteration that streams over blocks of variants (Musco & Musco 2015, arXiv:1504.05477). Relatives are projected with
    the loadings. The sign of a component is chosen so that its third moment is positive. Memory is
    O(samples x (1024 + passes x pcs)). Raises UserError when there are fewer unrelated samples or variants than
    components.
    """
    iids = read_passing_iids(samples)
    if not pcs:
        write_parquet(pd.DataFrame({"iid": iids}), output)
        return
    is_unrelated = np.ones(len(iids), bool)
    if kinship is not None:
        is_unrelated = unrelated(
            iids, related_pairs(iids, pd.read_parquet(require(kinship, "the table of relatives"))), seed
        )
    stream = Pruned(genotype_files, chromosomes, pruned, iids)
    unrelated_rows = np.flatnonzero(is_unrelated)
    if min(stream.variants, len(unrelated_rows) - 1) < pcs:
        raise UserError(
            f"genotypes.pcs: {pcs} principal components cannot be computed from {len(unrelated_rows)} unrelated "
            f"samples and {stream.variants} variants after pruning. Lower genotypes.pcs or relax genotypes.qc."
        )
    vectors, values, passes = _eigenvectors(stream, unrelated_rows, pcs, np.random.default_rng([seed, STAGE]))
    vectors *= np.where((vectors**3).sum(axis=0) < 0, -1.0, 1.0)
    scores = np.empty((len(iids), pcs))
    scores[unrelated_rows] = vectors
    if not is_unrelated.all():
        scores[~is_unrelated] = _project(stream, unrelated_rows, np.flatnonzero(~is_unrelated), vectors, values)
    log.info("%d components of %d unrelated samples, with %d relatives projected, from %d variants in %d passes", pcs,
             len(unrelated_rows), (~is_unrelated).sum(), stream.variants, passes)  # fmt: skip
    log.info("eigenvalues: %s", ", ".join(f"{value:.4g}" for value in values / stream.variants))
    columns = {f"PC{number + 1}": scores[:, number] for number in range(pcs)}
    write_parquet(pd.DataFrame({"iid": iids, **columns}), output)


def _eigenvectors(
    stream: Pruned, unrelated_rows: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, int]:
    """Compute the leading eigenvectors (unrelated samples, count) and eigenvalues of ZZᵀ, and the number of passes.

    Z (unrelated samples, variants) are standardised genotypes. The Rayleigh-Ritz method is applied to all blocks of
    the Krylov space, which a second Gram-Schmidt step keeps orthonormal.
    """
    moments = [_moments(genotypes) for genotypes in stream.blocks(samples=unrelated_rows)]
    width = min(count + OVERSAMPLING, len(unrelated_rows), stream.variants)
    basis = np.empty((len(unrelated_rows), 0), np.float32)
    images = np.empty((len(unrelated_rows), 0), np.float32)
    block = np.linalg.qr(rng.standard_normal((len(unrelated_rows), width)))[0]
    passes = 0
    for _ in range(MAX_PASSES):
        passes += 1
        image = _product(stream, unrelated_rows, moments, block.astype(np.float32))
        basis = np.hstack([basis, block.astype(np.float32)])
        images = np.hstack([images, image])
        projected = (basis.T @ images).astype(np.float64)
        values, rotation = np.linalg.eigh((projected + projected.T) / 2)
        values, rotation = values[::-1][:count], rotation[:, ::-1][:, :count]
        vectors = (basis @ rotation).astype(np.float64)
        residuals = np.linalg.norm(images @ rotation - vectors * values, axis=0)
        if (residuals <= TOLERANCE * np.abs(values)).all():
            break
        block = image.astype(np.float64)
        for _ in range(2):
            block -= basis @ (basis.T @ block)
            block, triangle = np.linalg.qr(block)
        independent = np.abs(np.diagonal(triangle)) > 1e-3
        block = block[:, independent][:, : len(unrelated_rows) - basis.shape[1]]
        if not block.shape[1]:
            break
    else:
        log.warning("the principal components have not converged after %d passes: relative residuals of up to %.2g",
                    MAX_PASSES, (residuals / np.abs(values)).max())  # fmt: skip
    return vectors / np.linalg.norm(vectors, axis=0), values, passes


def _product(
    stream: Pruned, unrelated_rows: np.ndarray, moments: list[tuple[np.ndarray, np.ndarray]], block: np.ndarray
) -> np.ndarray:
    """Compute ZZᵀ `block` (unrelated samples, columns) in one pass over the genotypes: float32.

    `moments` are the mean and scale of the variants of each genotype block.
    """
    result = np.zeros_like(block)
    for genotypes, (mean, scale) in zip(stream.blocks(samples=unrelated_rows), moments, strict=True):
        dosages = _impute_mean(genotypes, mean)
        result += _scores(dosages, mean, scale, _loadings(dosages, mean, scale, block))
    return result


def _project(
    stream: Pruned, unrelated_rows: np.ndarray, related_rows: np.ndarray, vectors: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Project related samples: scores (related samples, components) = Z_related Zᵀ U / eigenvalue."""
    scores = np.zeros((len(related_rows), vectors.shape[1]))
    for genotypes in stream.blocks():
        mean, scale = _moments(genotypes[unrelated_rows])
        loadings = _loadings(_impute_mean(genotypes[unrelated_rows], mean), mean, scale, vectors.astype(np.float32))
        scores += _scores(_impute_mean(genotypes[related_rows], mean), mean, scale, loadings)
    return scores / values


# Z = (dosages - mean) x scale is never formed. The mean and scale are applied to the thin factors instead.


def _loadings(dosages: np.ndarray, mean: np.ndarray, scale: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Compute Zᵀ block: float32 (variants, columns)."""
    return (dosages.T @ block - mean[:, None] * block.sum(axis=0)) * scale[:, None]


def _scores(dosages: np.ndarray, mean: np.ndarray, scale: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    """Compute Z loadings: float32 (samples, columns)."""
    scaled = loadings * scale[:, None]
    return dosages @ scaled - mean @ scaled


def _moments(genotypes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean dosage 2p and the scale 1/sqrt(2p(1-p)) of each variant: float32; scale 0 if monomorphic."""
    called = np.count_nonzero(genotypes >= 0, axis=0)
    dosage = np.count_nonzero(genotypes == 1, axis=0) + 2 * np.count_nonzero(genotypes == 2, axis=0)
    mean = dosage / np.maximum(called, 1)
    variance = mean * (1 - mean / 2)
    scale = np.where(variance > 0, 1 / np.sqrt(np.where(variance > 0, variance, 1)), 0)
    return mean.astype(np.float32), scale.astype(np.float32)


def _impute_mean(genotypes: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Replace missing calls by the mean dosage: float32 (samples, variants)."""
    values = genotypes.astype(np.float32)
    missing = genotypes < 0
    if missing.any():
        np.copyto(values, mean, where=missing)
    return values
