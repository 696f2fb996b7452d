"""Selection of samples by ancestry, from a column of a table or from the distance in PC space."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap, rows_of
from contigwas.tables.text import read_table, require

log = logging.getLogger(__name__)


def outside_ancestry(
    iids: Sequence[str], settings: Mapping[str, object], pcs: PathLike | None, seed: int
) -> np.ndarray:
    """Return which of `iids` are not of the ancestry that `settings` describe: bool (samples,).

    With `table`, these are the samples whose value in `column` is missing or not in `keep`. Otherwise they are the
    samples without principal components, or with a Mahalanobis distance above `max_sd` (in SDs) over the first
    `settings["pcs"]` components of the table `pcs`. The distance is that from the samples in the file `reference`
    (column iid). Without `reference`, it is that from the robust centre of all samples (minimum covariance determinant,
    Rousseeuw & Van Driessen 1999). Raises UserError when a column is missing, when a file and `iids` have no sample in
    common, or when the reference has too few samples for a covariance.
    """
    if "table" in settings:
        return outside_column(iids, settings)
    n_pcs = int(settings["pcs"])
    table = pd.read_parquet(require(pcs, "the principal components"))
    names = [f"PC{number + 1}" for number in range(n_pcs)]
    if not set(names) <= set(table.columns):
        raise UserError(
            f"genotypes.ancestry.pcs: {n_pcs} components are required, more than are computed. Increase genotypes.pcs."
        )
    rows = rows_of(iids, table["iid"].astype(str))
    values = np.where((rows >= 0)[:, None], table[names].to_numpy(np.float64)[rows], np.nan)
    has_pcs = ~np.isnan(values).any(axis=1)
    reference = has_pcs
    if settings["reference"] is not None:
        listed = read_table(settings["reference"], ["iid"], "genotypes.ancestry.reference")["iid"]
        require_overlap(iids, listed, "the samples", f"genotypes.ancestry.reference ({settings['reference']})")
        reference = has_pcs & pd.Index(iids).isin(listed)
    if reference.sum() < 10 * n_pcs:
        raise UserError(
            f"genotypes.ancestry: the reference contains only {reference.sum()} samples with principal components. "
            f"Supply at least {10 * n_pcs} for {n_pcs} components."
        )
    if settings["reference"] is None:
        from sklearn.covariance import MinCovDet  # slow to import, and every stage reads the cohort

        fit = MinCovDet(random_state=seed).fit(values[has_pcs])
        centre, covariance = fit.location_, fit.covariance_
    else:
        centre, covariance = values[reference].mean(axis=0), np.cov(values[reference], rowvar=False)
    deviations = values[has_pcs] - centre
    distance = np.full(len(values), np.inf)
    distance[has_pcs] = np.sqrt(
        np.einsum("ij,ij->i", deviations, np.linalg.solve(np.atleast_2d(covariance), deviations.T).T)
    )
    log.info("ancestry: %d of %d samples are more than %g SDs from the %d reference samples, %d have no components",
             (distance[has_pcs] > settings["max_sd"]).sum(), len(values), settings["max_sd"], reference.sum(),
             (~has_pcs).sum())  # fmt: skip
    return distance > settings["max_sd"]


def outside_column(iids: Sequence[str], settings: Mapping[str, object]) -> np.ndarray:
    """Return which of `iids` have a missing value in the column of the table, or one not in `keep`: bool (samples,).

    Raises UserError when the column is missing, or no sample has a value in `keep`.
    """
    table = read_table(settings["table"], ["iid"], "genotypes.ancestry.table")
    if settings["column"] not in table.columns:
        found = ", ".join(str(name) for name in table.columns[:12])
        raise UserError(
            f"{settings['table']} has no column {settings['column']} (genotypes.ancestry.column). "
            f"Its columns are {found}."
        )
    require_overlap(iids, table["iid"], "the samples", f"genotypes.ancestry.table ({settings['table']})")
    values = table.drop_duplicates("iid").set_index("iid")[settings["column"]].reindex(iids)
    wanted = {str(value) for value in settings["keep"]}
    labels = values.map(
        lambda value: str(int(value)) if isinstance(value, float) and value == int(value) else str(value),
        na_action="ignore",
    )
    inside = labels.isin(wanted).to_numpy()
    if not inside.any():
        found = ", ".join(labels.value_counts().index[:8])
        raise UserError(
            f"{settings['table']}: no sample has {settings['column']} {', '.join(sorted(wanted))}; the values are "
            f"{found}. Correct genotypes.ancestry.keep."
        )
    other = (~inside & labels.notna().to_numpy()).sum()
    log.info("ancestry: %d of %d samples have a %s other than %s, and for %d it is missing", other, len(inside),
             settings["column"], ", ".join(sorted(wanted)), labels.isna().sum())  # fmt: skip
    return ~inside
