"""How much of a feature's variance its lead variants explain together, beyond the covariates."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.gwas.design import orthonormal
from contigwas.gwas.samples import Samples, tested_samples
from contigwas.gwas.variants import Variants
from contigwas.loci.table import match_variants
from contigwas.runtime.atomic_files import PathLike

COLUMNS = ["feature", "n_samples", "leads", "r2", "adjusted_r2"]
LEADS = 64  # read at a time
SAMPLES = 8192  # whose dosages are multiplied at a time, in float64
ALONE = 1e-10  # of its sum of squares that a lead keeps beyond the covariates, else it tells nothing
RANK = 1e-8  # of the eigenvalues of the leads' correlations: below it leads depend on one another


def explained(
    loci: pd.DataFrame,
    genotype_files: GenotypeFiles,
    phenotypes: PathLike,
    covariates: PathLike,
    build: str,
    among: pd.Index | None = None,
) -> pd.DataFrame:
    """Variance of each feature that all leads of `loci` explain jointly: columns `COLUMNS`, one row a feature.

    r2 is 1 - RSS / RSS0, where RSS0 is left by the covariates and RSS by covariates and leads; adjusted_r2 compares the
    mean squares of the two on their residual degrees of freedom, so that leads without an effect add 0 on average.
    A missing call is the mean of those called. The leads were chosen among these very samples, so both are too high
    (winner's curse). Samples are those who are tested, with the feature, of those `among` where it is given. Without a
    lead there is no row.
    """
    if not len(loci):
        return pd.DataFrame(columns=COLUMNS)
    dosages = leads(loci, genotype_files, phenotypes, covariates, build, among)
    values = pd.read_parquet(phenotypes).set_index("iid").loc[dosages.index]
    design = pd.read_parquet(covariates).set_index("iid").loc[dosages.index].to_numpy(float)
    names, values, dosages = list(values.columns), values.to_numpy(float), dosages.to_numpy()
    parts = []
    for columns, known in _patterns(values):
        everybody = known.all()
        part = fit(
            values[np.ix_(known, columns)],
            design if everybody else design[known],
            dosages if everybody else dosages[known],
        )
        parts.append(
            part.assign(feature=[names[column] for column in columns], samples=int(known.sum()), place=columns)
        )
    return pd.concat(parts).sort_values("place", ignore_index=True)[COLUMNS]


def leads(
    loci: pd.DataFrame,
    genotype_files: GenotypeFiles,
    phenotypes: PathLike,
    covariates: PathLike,
    build: str,
    among: pd.Index | None = None,
) -> pd.DataFrame:
    """Dosages of the lead variants as the GWAS takes them, missing ones at the mean: float32 (samples, leads), by IID.

    Samples who are tested on every chromosome that has a lead, of those `among` where it is given.
    """
    parts = []
    table = loci.rename(columns={"lead_id": "id"}).astype({"chrom": str})
    for chrom, here in table.groupby("chrom", sort=False):
        genotypes = open_genotypes(genotype_files, chrom)
        samples = _among(tested_samples(genotypes, phenotypes, covariates), among)
        variants = Variants(genotypes, np.asarray(match_variants(here, genotypes, "the loci")), samples, build)
        dosages = np.hstack([_filled(block.dosages) for block in variants.blocks(LEADS)])
        parts.append(pd.DataFrame(dosages, samples.features.index, [f"{chrom}:{name}" for name in here["id"]]))
    return parts[0] if len(parts) == 1 else pd.concat(parts, axis=1, join="inner")


def fit(values: np.ndarray, covariates: np.ndarray, dosages: np.ndarray) -> pd.DataFrame:
    """`leads` (that are independent), `r2` and `adjusted_r2` of each column of `values` (n, P), a row each.

    On `dosages` (n, k) beyond `covariates` (n, q), by the products of the leads, (k, k), which all features share. Both
    are NaN where the covariates explain everything, or no degree of freedom is left.
    """
    if len(values) < 3:
        return pd.DataFrame({"leads": 0, "r2": np.nan, "adjusted_r2": np.nan}, index=range(values.shape[1]))
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
    return pd.DataFrame({"leads": count, "r2": 1 - after / before, "adjusted_r2": adjusted})


def _products(dosages: np.ndarray, basis: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-products of what the covariates leave of the leads, (k, k), and with the features' `left`, (k, P).

    Leads of which nothing is left are 0. In float64, a block of samples at a time: no copy of all leads is made.
    """
    leads = dosages.shape[1]
    projected, total = np.zeros((basis.shape[1], leads)), np.zeros(leads)
    for rows in _blocks(len(dosages)):
        block = dosages[rows].astype(np.float64)
        projected += basis[rows].T @ block
        total += (block**2).sum(axis=0)
    products, crossed = np.zeros((leads, leads)), np.zeros((leads, left.shape[1]))
    for rows in _blocks(len(dosages)):
        block = dosages[rows] - basis[rows] @ projected
        products += block.T @ block
        crossed += block.T @ left[rows]
    nothing = np.diagonal(products) <= ALONE * total
    products[nothing] = products[:, nothing] = crossed[nothing] = 0
    return products, crossed


def _directions(products: np.ndarray) -> np.ndarray:
    """Combinations of the leads, (k, independent ones), orthonormal over samples, from their `products` (k, k)."""
    sizes = np.sqrt(np.diagonal(products))
    weights = np.divide(1, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    values, vectors = np.linalg.eigh(products * np.outer(weights, weights))
    kept = values > RANK * max(1.0, values[-1])
    return weights[:, None] * vectors[:, kept] / np.sqrt(values[kept])


def _blocks(samples: int) -> Iterator[slice]:
    return (slice(start, start + SAMPLES) for start in range(0, samples, SAMPLES))


def _patterns(values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Columns of `values` (samples, P) that miss the same samples, and who has them, bool (samples,)."""
    known = np.isfinite(values)
    found: dict[bytes, list[int]] = {}
    for column in range(values.shape[1]):
        found.setdefault(np.packbits(known[:, column]).tobytes(), []).append(column)
    return [(np.array(columns), known[:, columns[0]]) for columns in found.values()]


def _among(samples: Samples, some: pd.Index | None) -> Samples:
    if some is None:
        return samples
    there = samples.features.index.isin(some)
    return Samples(samples.rows[there], samples.features[there], samples.covariates[there])


def _filled(block: np.ndarray) -> np.ndarray:
    """Dosages (samples, variants) with missing ones at the mean of those called, 0 where none is; float32."""
    values = np.where(block < 0, np.nan, block.astype(np.float64))
    called = np.isfinite(values)
    sums, counts = np.where(called, values, 0).sum(axis=0), called.sum(axis=0)
    return np.where(called, values, sums / np.maximum(counts, 1)).astype(np.float32)
