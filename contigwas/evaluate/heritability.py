"""How much of a feature's variance its lead variants explain together, beyond the covariates."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.files import PathLike
from contigwas.followup.study import Study
from contigwas.gwas.design import orthonormal
from contigwas.loci.table import match_variants

COLUMNS = ["feature", "people", "leads", "r2", "adjusted_r2"]


def explained(
    loci: pd.DataFrame,
    pattern: str,
    phenotypes: PathLike,
    covariates: PathLike,
    settings: Mapping[str, object],
) -> pd.DataFrame:
    """Variance of each feature that all leads of `loci` explain jointly: columns `COLUMNS`, one row a feature.

    r2 is 1 - RSS / RSS0, where RSS0 is left by the covariates and RSS by covariates and leads; adjusted_r2 compares the
    mean squares of the two on their residual degrees of freedom, so that leads without an effect add 0 on average.
    A missing call is the mean of those called. The leads were chosen among these very people, so both are too high
    (winner's curse). People are those who are tested, with the feature; `settings` are missing and build.
    Without a lead there is no row.
    """
    if not len(loci):
        return pd.DataFrame(columns=COLUMNS)
    values = pd.read_parquet(phenotypes).set_index("iid")
    design = pd.read_parquet(covariates).set_index("iid")
    dosages = leads(loci, pattern, phenotypes, covariates, settings)
    values, design = values.loc[dosages.index], design.loc[dosages.index]
    rows = []
    for name in values.columns:
        known = np.isfinite(values[name].to_numpy(float))
        row = fit(values.loc[known, name].to_numpy(float), design[known].to_numpy(float), dosages[known].to_numpy())
        rows.append({"feature": name, "people": int(known.sum()), **row})
    return pd.DataFrame(rows)[COLUMNS]


def leads(
    loci: pd.DataFrame,
    pattern: str,
    phenotypes: PathLike,
    covariates: PathLike,
    settings: Mapping[str, object],
) -> pd.DataFrame:
    """Dosages of the lead variants (people, leads) as the GWAS takes them, missing ones at the mean; by IID.

    People who are tested on every chromosome that has a lead.
    """
    parts = []
    table = loci.rename(columns={"lead_id": "id"}).astype({"chrom": str})
    for chrom, here in table.groupby("chrom", sort=False):
        study = Study.read(pattern, chrom, phenotypes, covariates, settings)
        iids = study.genotypes.people["iid"].to_numpy()[study.rows]
        for row, name in zip(match_variants(here, study.genotypes, "the loci"), here["id"], strict=True):
            dosage = study.dosage(row)
            mean = np.nanmean(dosage) if np.isfinite(dosage).any() else 0.0
            parts.append(pd.Series(np.where(np.isnan(dosage), mean, dosage), iids, name=f"{chrom}:{row}:{name}"))
    return pd.concat(parts, axis=1, join="inner")


def fit(values: np.ndarray, covariates: np.ndarray, dosages: np.ndarray) -> dict[str, float]:
    """`leads` (that are independent), `r2` and `adjusted_r2` of `values` (n,) on `dosages` (n, k) beyond `covariates`.

    Both are NaN where the covariates explain everything, or no degree of freedom is left.
    """
    basis = orthonormal(covariates, [f"covariate {place}" for place in range(covariates.shape[1])])[0]
    left = _residual(values[:, None], basis)
    genotypes = _residual(dosages, basis)
    # directions of the leads that the covariates, or other leads, leave nothing of
    vectors, sizes, _ = np.linalg.svd(genotypes, full_matrices=False)
    spanning = vectors[:, sizes > 1e-6 * max(1.0, sizes.max(initial=0.0))]
    count, degrees = spanning.shape[1], len(values) - basis.shape[1]
    before = float((left**2).sum())
    if degrees - count < 1 or before <= 1e-12 * float((values**2).sum()):
        return {"leads": count, "r2": np.nan, "adjusted_r2": np.nan}
    after = before - float(((spanning.T @ left) ** 2).sum())
    r2 = 1 - after / before
    return {"leads": count, "r2": r2, "adjusted_r2": 1 - (after / (degrees - count)) / (before / degrees)}


def _residual(columns: np.ndarray, basis: np.ndarray) -> np.ndarray:
    left = columns - basis @ (basis.T @ columns)
    return left - basis @ (basis.T @ left)
