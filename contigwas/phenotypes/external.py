"""Phenotypes that were made elsewhere: a table of samples and features."""

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
    """Write the phenotypes of a user-supplied table (TSV or Parquet: FID and IID, then features) and their covariates.

    A feature may miss samples; samples without any feature are left out. `settings`: transform, covariates (names) and
    image_covariates (columns of the table `images`).
    Raises UserError for a table without features, with text in one, with a name twice or one that a test over features
    has, for a sample that is duplicated, and when it shares nobody with the cohort.
    """
    features = read_features(path)
    samples = read_cohort(cohort)
    require_overlap(features.index, samples["iid"], f"the phenotypes ({path})", f"the cohort ({cohort})")
    some = features.notna().any(axis=1)
    if not some.all():
        log.warning("%d samples of %s have no feature at all and are left out", int((~some).sum()), path)
    if not some.any():
        raise UserError(f"{path}: every value is missing: write numbers, and NA where a value is not known")
    tables = (output_phenotypes, output_covariates)
    write_tables(features[some], None, samples, covariates, pcs, settings, *tables, images)
