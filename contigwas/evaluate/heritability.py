"""Variance of each feature that the lead variants of a model explain jointly, in addition to the covariates."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.gwas.design import orthonormal
from contigwas.gwas.samples import Samples, tested_samples
from contigwas.gwas.variants import Variants
from contigwas.loci.table import match_variants
from contigwas.runtime.atomic_files import PathLike

COLUMNS = ["feature", "n_samples", "n_lead_variants", "r2", "adjusted_r2"]
VARIANT_BLOCK = 64  # variants read at once
SAMPLE_BLOCK = 8192  # samples whose dosages are multiplied at once, in float64
MIN_RESIDUAL = 1e-10  # share of the sum of squares not explained by covariates; below it a variant is collinear
MIN_EIGENVALUE = 1e-8  # relative, of the correlation matrix of the variants; below it directions are collinear


def explained(
    loci: pd.DataFrame,
    genotype_files: GenotypeFiles,
    phenotypes: PathLike,
    covariates: PathLike,
    build: str,
    keep: pd.Index | None = None,
) -> pd.DataFrame:
    """Return the variance that all lead variants of `loci` explain jointly, one row per feature: columns `COLUMNS`.

    r2 is 1 - RSS / RSS0, with RSS0 the residual sum of squares of the covariates, and RSS that of covariates and lead
    variants. adjusted_r2 compares the mean squares, so lead variants without an effect add 0 on average. Missing calls
    are set to the mean. Samples are the tested samples that have the feature and, if `keep` is given, are in it. Both
    values are too high, because the lead variants were selected in the same samples (winner's curse). Without a lead
    variant the result has no rows.
    """
    if not len(loci):
        return pd.DataFrame(columns=COLUMNS)
    dosages = lead_dosages(loci, genotype_files, phenotypes, covariates, build, keep)
    values = pd.read_parquet(phenotypes).set_index("iid").loc[dosages.index]
    design = pd.read_parquet(covariates).set_index("iid").loc[dosages.index].to_numpy(float)
    names, values, dosages = list(values.columns), values.to_numpy(float), dosages.to_numpy()
    parts = []
    for columns, present in _patterns(values):
        complete = present.all()
        part = fit(
            values[np.ix_(present, columns)],
            design if complete else design[present],
            dosages if complete else dosages[present],
        )
        parts.append(
            part.assign(feature=[names[column] for column in columns], n_samples=int(present.sum()), place=columns)
        )
    return pd.concat(parts).sort_values("place", ignore_index=True)[COLUMNS]


def lead_dosages(
    loci: pd.DataFrame,
    genotype_files: GenotypeFiles,
    phenotypes: PathLike,
    covariates: PathLike,
    build: str,
    keep: pd.Index | None = None,
) -> pd.DataFrame:
    """Return dosages of the lead variants by IID, with missing calls at the mean: float32 (samples, variants).

    Samples are those tested on every chromosome with a lead variant and, if `keep` is given, in it.
    """
    parts = []
    table = loci.rename(columns={"lead_id": "id"}).astype({"chrom": str})
    for chrom, of_chrom in table.groupby("chrom", sort=False):
        genotypes = open_genotypes(genotype_files, chrom)
        samples = _restrict_to(tested_samples(genotypes, phenotypes, covariates), keep)
        variants = Variants(genotypes, np.asarray(match_variants(of_chrom, genotypes, "the loci")), samples, build)
        dosages = np.hstack([_impute_mean(block.dosages) for block in variants.blocks(VARIANT_BLOCK)])
        parts.append(pd.DataFrame(dosages, samples.features.index, [f"{chrom}:{name}" for name in of_chrom["id"]]))
    return parts[0] if len(parts) == 1 else pd.concat(parts, axis=1, join="inner")


def fit(values: np.ndarray, covariates: np.ndarray, dosages: np.ndarray) -> pd.DataFrame:
    """Return `n_lead_variants` (linearly independent), `r2` and `adjusted_r2` of each column of `values` (n, P).

    `dosages` is (n, k), `covariates` is (n, q). All features share the cross-products (k, k) of the variants. r2 and
    adjusted_r2 are NaN if the covariates explain all variance or no residual degrees of freedom are left.
    """
    if len(values) < 3:
        return pd.DataFrame({"n_lead_variants": 0, "r2": np.nan, "adjusted_r2": np.nan}, index=range(values.shape[1]))
    basis = orthonormal(covariates, [f"covariate {place}" for place in range(covariates.shape[1])])[0]
    left = values - basis @ (basis.T @ values)
    left -= basis @ (basis.T @ left)
    products, crossed = _products(dosages, basis, left)
    directions = _directions(products)
    count, degrees = directions.shape[1], len(values) - basis.shape[1]
    before = (left**2).sum(axis=0)
    before[before <= 1e-12 * (values**2).sum(axis=0)] = np.nan
    if degrees - count < 1:
        before[:] = np.nan
    after = before - ((directions.T @ crossed) ** 2).sum(axis=0)
    adjusted = 1 - (after / max(degrees - count, 1)) / (before / max(degrees, 1))
    return pd.DataFrame({"n_lead_variants": count, "r2": 1 - after / before, "adjusted_r2": adjusted})


def _products(dosages: np.ndarray, basis: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cross-products of residual dosages, (k, k), and of residual dosages and residual features `left`, (k, P).

    Residuals are those of the covariates; collinear variants have products of 0. Samples are processed in blocks in
    float64, so that the dosages are not copied.
    """
    count = dosages.shape[1]
    projected, total = np.zeros((basis.shape[1], count)), np.zeros(count)
    for rows in _blocks(len(dosages)):
        block = dosages[rows].astype(np.float64)
        projected += basis[rows].T @ block
        total += (block**2).sum(axis=0)
    products, crossed = np.zeros((count, count)), np.zeros((count, left.shape[1]))
    for rows in _blocks(len(dosages)):
        block = dosages[rows] - basis[rows] @ projected
        products += block.T @ block
        crossed += block.T @ left[rows]
    collinear = np.diagonal(products) <= MIN_RESIDUAL * total
    products[collinear] = products[:, collinear] = crossed[collinear] = 0
    return products, crossed


def _directions(products: np.ndarray) -> np.ndarray:
    """Return combinations (k, rank) of the variants that are orthonormal over samples, from their `products` (k, k)."""
    sizes = np.sqrt(np.diagonal(products))
    weights = np.divide(1, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    values, vectors = np.linalg.eigh(products * np.outer(weights, weights))
    kept = values > MIN_EIGENVALUE * max(1.0, values[-1])
    return weights[:, None] * vectors[:, kept] / np.sqrt(values[kept])


def _blocks(samples: int) -> Iterator[slice]:
    return (slice(start, start + SAMPLE_BLOCK) for start in range(0, samples, SAMPLE_BLOCK))


def _patterns(values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return groups of columns of `values` (samples, P) that are missing in the same samples, with bool (samples,)."""
    present = np.isfinite(values)
    groups: dict[bytes, list[int]] = {}
    for column in range(values.shape[1]):
        groups.setdefault(np.packbits(present[:, column]).tobytes(), []).append(column)
    return [(np.array(columns), present[:, columns[0]]) for columns in groups.values()]


def _restrict_to(samples: Samples, some: pd.Index | None) -> Samples:
    if some is None:
        return samples
    kept = samples.features.index.isin(some)
    return Samples(samples.rows[kept], samples.features[kept], samples.covariates[kept])


def _impute_mean(block: np.ndarray) -> np.ndarray:
    """Return float32 dosages (samples, variants) with missing calls at the mean of the variant (0 without any call)."""
    values = np.where(block < 0, np.nan, block.astype(np.float64))
    called = np.isfinite(values)
    sums, counts = np.where(called, values, 0).sum(axis=0), called.sum(axis=0)
    return np.where(called, values, sums / np.maximum(counts, 1)).astype(np.float32)
