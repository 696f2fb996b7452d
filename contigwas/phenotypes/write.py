"""Steps common to all phenotypes: tested samples, covariates, transform, and output tables."""

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
from contigwas.tables.phenotypes import RESERVED_NAMES

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
    """Write phenotypes.parquet and covariates.parquet of the tested samples of `features` (indexed by iid).

    These are the samples with gwas_included = 1 in `cohort` and with every covariate. `folds` (by iid) become
    indicators if there are several. `settings`: covariates (names), image_covariates (columns of the table `images`,
    which is read only if they are used) and transform. Raises UserError for invalid feature names, and if no sample can
    be tested.
    """
    invalid = sorted(
        {str(name) for name in features.columns[features.columns.duplicated() | features.columns.isin(RESERVED_NAMES)]}
    )
    if invalid:
        raise UserError(f"invalid or duplicate feature names {', '.join(invalid[:5])}: rename these columns")
    tested = cohort.loc[cohort["gwas_included"] == 1, "iid"].astype(str)
    samples = features.index[features.index.isin(tested)]
    log.info("%d of %d samples with features are included in the GWAS", len(samples), len(features))
    if not len(samples):
        raise UserError(
            f"none of the {len(features)} samples with features has gwas_included = 1 in cohort.tsv "
            f"({len(tested)} samples have). See the column gwas_exclusion there"
        )
    covariate_table = read_covariates(settings["covariates"], covariates, pcs, cohort)
    samples = complete(covariate_table, samples, covariates)
    if settings.get("image_covariates"):
        image_table = _image_table(list(settings["image_covariates"]), images, samples, covariate_table)
        samples = complete(image_table, samples, images)
        covariate_table = covariate_table.join(image_table)
    fold_labels = folds.loc[samples] if folds is not None and folds.loc[samples].nunique() > 1 else None
    design = numeric(covariate_table.loc[samples], fold_labels, covariates)
    values = features.loc[samples].to_numpy(np.float64)
    for name, observed in zip(features.columns, (~np.isnan(values)).sum(axis=0), strict=True):
        if observed < len(samples):
            log.warning("feature %s is missing for %d of %d samples", name, len(samples) - observed, len(samples))
    values = transformed(values, design.to_numpy(), list(design.columns), str(settings["transform"]))
    table = pd.DataFrame(values, columns=features.columns)
    table.insert(0, "iid", samples.to_numpy(dtype=str))
    log.info("%d samples, %d features (transform: %s), covariates: %s", len(table), features.shape[1],
             settings["transform"], ", ".join(design.columns) or "none")  # fmt: skip
    write_parquet(table, output_phenotypes)
    write_parquet(design.reset_index(names="iid"), output_covariates)


def _image_table(
    names: list[str], images: PathLike | None, samples: pd.Index, covariate_table: pd.DataFrame
) -> pd.DataFrame:
    """Return the image covariates; raise UserError if there are no images or a name is also in `covariate_table`."""
    if images is None:
        raise UserError(
            "config: gwas.image_covariates is set, but there is no images: block. Add one, or remove this key"
        )
    duplicates = sorted({*names} & {*covariate_table.columns})
    if duplicates:
        raise UserError(
            f"config: gwas.covariates and gwas.image_covariates both name {duplicates[0]}. Drop or rename one of them"
        )
    return image_covariates(names, images, samples)
