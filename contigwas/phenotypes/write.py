"""What both kinds of phenotypes share: who is tested, the covariates, the transform, and the two tables."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.phenotypes.covariates import complete, numeric
from contigwas.phenotypes.image_covariates import image_covariates
from contigwas.phenotypes.transform import transformed
from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.runtime.errors import UserError
from contigwas.tables.covariates import read_covariates
from contigwas.tables.phenotypes import TAKEN

log = logging.getLogger(__name__)


def write_tables(
    features: pd.DataFrame,
    folds: pd.Series | None,
    cohort: pd.DataFrame,
    covariates: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
    output_phenotypes: PathLike,
    output_covariates: PathLike,
    images: PathLike | None = None,
) -> None:
    """Write phenotypes.parquet and covariates.parquet of those of `features` (indexed by iid) who can be tested.

    These are samples with gwas_included = 1 in `cohort` and with every covariate. `folds` (by iid) become indicators where
    there are several. `settings`: covariates (names), image_covariates (columns of the table `images`, which is read
    only for them) and transform.
    """
    odd = sorted({str(name) for name in features.columns[features.columns.duplicated() | features.columns.isin(TAKEN)]})
    if odd:
        raise UserError(f"features may not be called {', '.join(odd[:5])}, nor two the same: rename those columns")
    tested = cohort.loc[cohort["gwas_included"] == 1, "iid"].astype(str)
    samples = features.index[features.index.isin(tested)]
    log.info("%d of %d samples with features are in the cohort and tested", len(samples), len(features))
    if not len(samples):
        raise UserError(
            f"none of the {len(features)} samples with features has gwas_included = 1 in the cohort ({len(tested)} have): "
            "see why samples are excluded in the cohort's table"
        )
    named = read_covariates(settings["covariates"], covariates, pcs, cohort)
    samples = complete(named, samples, covariates)
    if settings.get("image_covariates"):
        of_images = _of_images(list(settings["image_covariates"]), images, samples, named)
        samples = complete(of_images, samples, images)
        named = named.join(of_images)
    of = folds.loc[samples] if folds is not None and folds.loc[samples].nunique() > 1 else None
    design = numeric(named.loc[samples], of, covariates)
    values = features.loc[samples].to_numpy(np.float64)
    for name, known in zip(features.columns, (~np.isnan(values)).sum(axis=0), strict=True):
        if known < len(samples):
            log.warning("feature %s is missing for %d of %d samples", name, len(samples) - known, len(samples))
    values = transformed(values, design.to_numpy(), list(design.columns), str(settings["transform"]))
    table = pd.DataFrame(values, columns=features.columns)
    table.insert(0, "iid", samples.to_numpy(dtype=str))
    log.info("%d samples, %d features (transform: %s), covariates: %s", len(table), features.shape[1],
             settings["transform"], ", ".join(design.columns) or "none")  # fmt: skip
    write_parquet(table, output_phenotypes)
    write_parquet(design.reset_index(names="iid"), output_covariates)


def _of_images(names: list[str], images: PathLike | None, samples: pd.Index, named: pd.DataFrame) -> pd.DataFrame:
    """The covariates of the images; none may have the name of one in `named`."""
    if images is None:
        raise UserError("config: gwas.image_covariates are named, but there is no images: block: add it, or drop them")
    twice = sorted({*names} & {*named.columns})
    if twice:
        raise UserError(
            f"config: gwas.covariates and gwas.image_covariates both name {twice[0]}: drop one, or rename its column"
        )
    return image_covariates(names, images, samples)
