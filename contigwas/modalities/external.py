"""User-supplied modalities: any table of samples x features, written for the samples of the cohort."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.anndata_io import MISSING, read_modality, write_modality
from contigwas.tables.sample_features import TableOptions, open_samples_table
from contigwas.tables.sample_ids import require_overlap
from contigwas.tables.text import require

log = logging.getLogger(__name__)


def write_external(name: str, path: PathLike, cohort: PathLike, output: PathLike) -> None:
    """Write the modality `name` from an .h5ad, .parquet or text table (IID, optionally FID, then features).

    The samples are those of the cohort that are not excluded, in the order of the file. Genotypes (int8 values of an
    .h5ad: 0, 1, 2, and -127 for missing) stay int8; all other values become float32 with NaN for missing. A sparse
    matrix stays sparse. Nothing is imputed or scaled. Raises UserError if a sample or a feature is duplicated, a
    feature is not numeric, an int8 value is out of range, or no sample of the cohort is in the file.
    """
    path = require(path, f"modalities.{name}")
    iids, features, values = _h5ad(path) if path.suffix == ".h5ad" else read_external_table(path, name)
    all_samples = read_cohort(cohort)
    iids_included = included(all_samples)["iid"].astype(str)
    require_overlap(iids_included, iids, f"the cohort ({cohort})", f"modalities.{name} ({path})")
    in_cohort = pd.Index(iids).isin(iids_included)
    log.info("%s: %d samples, %d of them in the cohort of %d; %d features", name, len(iids), in_cohort.sum(),
             len(iids_included), len(features))  # fmt: skip
    provenance = {"stage": "modalities", "file": str(path), "features": len(features), "samples_in_file": len(iids),
                  "samples_in_cohort": len(iids_included), "n_samples": int(in_cohort.sum())}  # fmt: skip
    write_modality(output, values[np.flatnonzero(in_cohort)], pd.Index(iids)[in_cohort], features, provenance)


def _h5ad(path: Path) -> tuple[pd.Index, pd.DataFrame, np.ndarray | sparse.spmatrix]:
    """Return IIDs, features and values (samples, features) of an .h5ad file."""
    data = read_modality(path)
    if data.X is None or data.X.dtype.kind not in "iufb":
        raise UserError(f"{path}: X is not numeric. Store the samples x features in X")
    values = sparse.csr_matrix(data.X) if sparse.issparse(data.X) else np.asarray(data.X)
    if values.dtype != np.int8:
        return data.obs_names, data.var, values.astype(np.float32)
    seen = np.unique(values.data if sparse.issparse(values) else values)
    invalid = seen[(seen < 0) & (seen != MISSING) | (seen > 2)]
    if invalid.size:
        raise UserError(
            f"{path}: X has the int8 value {invalid[0]}, but genotypes are 0, 1, 2, or {MISSING} for missing. Store "
            "other numbers as float32"
        )
    return data.obs_names, data.var, values


def read_external_table(path: Path, name: str) -> tuple[pd.Index, pd.DataFrame, np.ndarray]:
    """Return IIDs, features and values, float32 (samples, features), of a text table or a .parquet file."""
    table = open_samples_table(path, TableOptions(f"modalities.{name}"))
    iids, values = table.read_all()
    return iids, pd.DataFrame(index=table.features), values
