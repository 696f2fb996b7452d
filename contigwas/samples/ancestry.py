"""Who belongs to the ancestry that is studied: by a given column, or by distance in the space of components."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap, rows_of
from contigwas.tables.text import read_table, require

log = logging.getLogger(__name__)


def outsiders(iids: Sequence[str], settings: Mapping[str, object], pcs: PathLike | None, seed: int) -> np.ndarray:
    """Who of `iids` is not of the ancestry that `settings` describe: bool (samples,).

    With `table` (and `column`, `keep`): whose value in the column is not one of `keep`, or who has none. Else by the
    Mahalanobis distance over the first `pcs` components of the table `pcs`, in SDs: whose distance from the samples that
    the file `reference` lists (a column iid), or from the robust centre of everyone (minimum covariance determinant,
    Rousseeuw & Van Driessen 1999), is above `max_sd`, or who has no components. Raises UserError when a file lacks a
    column, nobody is shared, or fewer samples are in the reference than a covariance needs.
    """
    if "table" in settings:
        return outside_column(iids, settings)
    count = int(settings["pcs"])
    table = pd.read_parquet(require(pcs, "the components"))
    names = [f"PC{number + 1}" for number in range(count)]
    if not set(names) <= set(table.columns):
        raise UserError(f"genotypes.ancestry asks for {count} components, more than genotypes.pcs: raise that")
    rows = rows_of(iids, table["iid"].astype(str))
    values = np.where((rows >= 0)[:, None], table[names].to_numpy(np.float64)[rows], np.nan)
    known = ~np.isnan(values).any(axis=1)
    reference = known
    if settings["reference"] is not None:
        listed = read_table(settings["reference"], ["iid"], "genotypes.ancestry.reference")["iid"]
        require_overlap(iids, listed, "the samples", f"genotypes.ancestry.reference ({settings['reference']})")
        reference = known & pd.Index(iids).isin(listed)
    if reference.sum() < 10 * count:
        raise UserError(
            f"only {reference.sum()} samples with components are in the reference of genotypes.ancestry: name at least "
            f"{10 * count} for {count} components"
        )
    if settings["reference"] is None:
        from sklearn.covariance import MinCovDet  # takes a second to import, and every stage reads the cohort

        fit = MinCovDet(random_state=seed).fit(values[known])
        centre, covariance = fit.location_, fit.covariance_
    else:
        centre, covariance = values[reference].mean(axis=0), np.cov(values[reference], rowvar=False)
    apart = values[known] - centre
    distance = np.full(len(values), np.inf)
    distance[known] = np.sqrt(np.einsum("ij,ij->i", apart, np.linalg.solve(np.atleast_2d(covariance), apart.T).T))
    log.info("ancestry: %d of %d samples are more than %g SDs from %d samples of reference, %d have no components",
             (distance[known] > settings["max_sd"]).sum(), len(values), settings["max_sd"], reference.sum(),
             (~known).sum())  # fmt: skip
    return distance > settings["max_sd"]


def outside_column(iids: Sequence[str], settings: Mapping[str, object]) -> np.ndarray:
    """Who of `iids` has none of the values `keep` in the column of the table, or no value: bool (samples,)."""
    table = read_table(settings["table"], ["iid"], "genotypes.ancestry.table")
    if settings["column"] not in table.columns:
        seen = ", ".join(str(name) for name in table.columns[:12])
        raise UserError(
            f"{settings['table']} has no column {settings['column']} (genotypes.ancestry.column): it has {seen}"
        )
    require_overlap(iids, table["iid"], "the samples", f"genotypes.ancestry.table ({settings['table']})")
    values = table.drop_duplicates("iid").set_index("iid")[settings["column"]].reindex(iids)
    wanted = {str(one) for one in settings["keep"]}
    have = values.map(lambda value: str(int(value)) if isinstance(value, float) and value == int(value) else str(value),
                      na_action="ignore")  # fmt: skip
    inside = have.isin(wanted).to_numpy()
    if not inside.any():
        seen = ", ".join(have.value_counts().index[:8])
        raise UserError(
            f"nobody has {settings['column']} {', '.join(sorted(wanted))} in {settings['table']}: it has {seen}"
        )
    other = (~inside & have.notna().to_numpy()).sum()
    log.info("ancestry: %d of %d samples have another %s than %s, %d have none", other, len(inside), settings["column"],
             ", ".join(sorted(wanted)), have.isna().sum())  # fmt: skip
    return ~inside
