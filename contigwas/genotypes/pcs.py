"""Genetic principal components, fitted on unrelated samples; relatives are projected."""

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

STAGE = 11  # separates this stage's random numbers from the others'
EXTRA = 10  # columns beyond the components asked for
PASSES = 40  # at most, over the genotypes
TOLERANCE = 1e-4  # residual of a component, as a share of its eigenvalue


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

    Genotypes are standardised with the frequencies of the unrelated samples, missing calls are the mean. The leading
    eigenvectors of their relationship matrix come from a block Lanczos iteration that streams over blocks of variants
    (Musco & Musco 2015, arXiv:1504.05477); relatives are projected with the loadings. Signs are fixed: the third
    moment of a component is positive. Memory is O(samples x (1024 + passes x pcs)). Raises UserError when there are
    fewer unrelated samples or variants than components.
    """
    iids = read_passing_iids(samples)
    if not pcs:
        write_parquet(pd.DataFrame({"iid": iids}), output)
        return
    alone = np.ones(len(iids), bool)
    if kinship is not None:
        alone = unrelated(iids, related_pairs(iids, pd.read_parquet(require(kinship, "the table of relatives"))), seed)
    stream = Pruned(genotype_files, chromosomes, pruned, iids)
    fitted = np.flatnonzero(alone)
    if min(stream.variants, len(fitted) - 1) < pcs:
        raise UserError(
            f"{pcs} principal components cannot be computed from {len(fitted)} unrelated samples and "
            f"{stream.variants} variants left after pruning: lower genotypes.pcs or relax genotypes.qc"
        )
    vectors, values, passes = _eigenvectors(stream, fitted, pcs, np.random.default_rng([seed, STAGE]))
    vectors *= np.where((vectors**3).sum(axis=0) < 0, -1.0, 1.0)
    scores = np.empty((len(iids), pcs))
    scores[fitted] = vectors
    if not alone.all():
        scores[~alone] = _project(stream, fitted, np.flatnonzero(~alone), vectors, values)
    log.info("%d components of %d unrelated samples, %d relatives projected, from %d variants in %d passes", pcs,
             len(fitted), (~alone).sum(), stream.variants, passes)  # fmt: skip
    log.info("eigenvalues: %s", ", ".join(f"{value:.4g}" for value in values / stream.variants))
    columns = {f"PC{number + 1}": scores[:, number] for number in range(pcs)}
    write_parquet(pd.DataFrame({"iid": iids, **columns}), output)


def _eigenvectors(
    stream: Pruned, fitted: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, int]:
    """The leading eigenvectors (fitted samples, count) and eigenvalues of ZZᵀ, and the passes it took.

    Z (fitted samples, variants) are standardised genotypes. Rayleigh-Ritz on all blocks of the Krylov space, kept
    orthonormal by a second Gram-Schmidt step.
    """
    moments = [_moments(genotypes) for genotypes in stream.blocks(samples=fitted)]
    width = min(count + EXTRA, len(fitted), stream.variants)
    basis = np.empty((len(fitted), 0), np.float32)
    images = np.empty((len(fitted), 0), np.float32)
    block = np.linalg.qr(rng.standard_normal((len(fitted), width)))[0]
    passes = 0
    for _ in range(PASSES):
        passes += 1
        image = _product(stream, fitted, moments, block.astype(np.float32))
        basis = np.hstack([basis, block.astype(np.float32)])
        images = np.hstack([images, image])
        small = (basis.T @ images).astype(np.float64)
        values, rotation = np.linalg.eigh((small + small.T) / 2)
        values, rotation = values[::-1][:count], rotation[:, ::-1][:, :count]
        vectors = (basis @ rotation).astype(np.float64)
        residuals = np.linalg.norm(images @ rotation - vectors * values, axis=0)
        if (residuals <= TOLERANCE * np.abs(values)).all():
            break
        block = image.astype(np.float64)
        for _ in range(2):
            block -= basis @ (basis.T @ block)
            block, triangle = np.linalg.qr(block)
        spans = np.abs(np.diagonal(triangle)) > 1e-3
        block = block[:, spans][:, : len(fitted) - basis.shape[1]]
        if not block.shape[1]:
            break
    else:
        log.warning("the components are not settled after %d passes: relative residuals up to %.2g", PASSES,
                    (residuals / np.abs(values)).max())  # fmt: skip
    return vectors / np.linalg.norm(vectors, axis=0), values, passes


def _product(
    stream: Pruned, fitted: np.ndarray, moments: list[tuple[np.ndarray, np.ndarray]], block: np.ndarray
) -> np.ndarray:
    """ZZᵀ times `block` (fitted samples, columns), float32, in one pass over the genotypes; `moments` of each block."""
    result = np.zeros_like(block)
    for genotypes, (mean, scale) in zip(stream.blocks(samples=fitted), moments, strict=True):
        dosages = _filled(genotypes, mean)
        result += _scores(dosages, mean, scale, _loadings(dosages, mean, scale, block))
    return result


def _project(
    stream: Pruned, fitted: np.ndarray, others: np.ndarray, vectors: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Scores (others, components) on the scale of `vectors`: Z_others Zᵀ U / eigenvalue."""
    scores = np.zeros((len(others), vectors.shape[1]))
    for genotypes in stream.blocks():
        mean, scale = _moments(genotypes[fitted])
        loadings = _loadings(_filled(genotypes[fitted], mean), mean, scale, vectors.astype(np.float32))
        scores += _scores(_filled(genotypes[others], mean), mean, scale, loadings)
    return scores / values


# Z = (dosages - mean) x scale is never formed: the mean and the scale act on the thin factors of its products.


def _loadings(dosages: np.ndarray, mean: np.ndarray, scale: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Zᵀ block: float32 (variants, columns)."""
    return (dosages.T @ block - mean[:, None] * block.sum(axis=0)) * scale[:, None]


def _scores(dosages: np.ndarray, mean: np.ndarray, scale: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    """Z loadings: float32 (samples, columns)."""
    scaled = loadings * scale[:, None]
    return dosages @ scaled - mean @ scaled


def _moments(genotypes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean dosage 2p and the scale 1/sqrt(2p(1-p)) of each variant; scale 0 where it does not vary. float32."""
    called = np.count_nonzero(genotypes >= 0, axis=0)
    dosage = np.count_nonzero(genotypes == 1, axis=0) + 2 * np.count_nonzero(genotypes == 2, axis=0)
    mean = dosage / np.maximum(called, 1)
    variance = mean * (1 - mean / 2)
    scale = np.where(variance > 0, 1 / np.sqrt(np.where(variance > 0, variance, 1)), 0)
    return mean.astype(np.float32), scale.astype(np.float32)


def _filled(genotypes: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Dosages with the mean where not called: float32 (samples, variants)."""
    values = genotypes.astype(np.float32)
    missing = genotypes < 0
    if missing.any():
        np.copyto(values, mean, where=missing)
    return values
