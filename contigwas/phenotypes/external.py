"""User-supplied phenotypes: a table of samples x features."""

import logging
from collections.abc import Mapping

from contigwas.phenotypes.write import write_tables
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_cohort
from contigwas.tables.phenotypes import read_features
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)


def write_external(
    path: PathLike,
    cohort: PathLike,
    covariates: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
    output_phenotypes: PathLike,
    output_covariates: PathLike,
    images: PathLike | None = None,
) -> None:
    """Write the phenotypes of a user-supplied table (text or Parquet: FID, IID, then features) and their covariates.

    A feature may have missing values; samples without any feature are left out. `settings`: transform, covariates
    (names) and image_covariates (columns of the table `images`). Raises UserError for a table without features, for a
    feature that is text, duplicated or named like a test over features, for duplicate samples, and if no sample is in
    the cohort.
    """
    features = read_features(path)
    samples = read_cohort(cohort)
    require_overlap(features.index, samples["iid"], f"the phenotypes ({path})", f"the cohort ({cohort})")
    has_feature = features.notna().any(axis=1)
    if not has_feature.all():
        log.warning("%d samples of %s without any feature are left out", int((~has_feature).sum()), path)
    if not has_feature.any():
        raise UserError(f"{path}: every value is missing. Write numbers, and NA where a value is missing")
    tables = (output_phenotypes, output_covariates)
    write_tables(features[has_feature], None, samples, covariates, pcs, settings, *tables, images)
