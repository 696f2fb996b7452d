"""Further modalities that are user-supplied: any table of samples and features, as an AnnData file of the cohort's samples."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.anndata_io import MISSING, read_modality, write_modality
from contigwas.tables.sample_features import Asked, open_samples_table
from contigwas.tables.sample_ids import require_overlap
from contigwas.tables.text import require

log = logging.getLogger(__name__)


def write_external(name: str, path: PathLike, cohort: PathLike, output: PathLike) -> None:
    """Write the modality `name` from an .h5ad, .parquet or text table (IID, and perhaps FID, then features).

    Samples are those of the cohort who are not excluded, in the file's order; the others are counted. Genotypes (int8 of
    an .h5ad: 0, 1, 2 and -127 where missing) stay int8, all else becomes float32 with NaN where missing; sparse stays
    sparse. Nothing is imputed or scaled. Raises UserError when a sample or a feature is duplicated, a feature is no
    number, int8 values are out of range, or nobody of the cohort is in the file.
    """
    path = require(path, f"modalities.{name}")
    iids, features, values = _h5ad(path) if path.suffix == ".h5ad" else read_external_table(path, name)
    everyone = read_cohort(cohort)
    iids_included = included(everyone)["iid"].astype(str)
    require_overlap(iids_included, iids, f"the cohort ({cohort})", f"modalities.{name} ({path})")
    here = pd.Index(iids).isin(iids_included)
    log.info("%s: %d samples, %d of them in the cohort of %d; %d features", name, len(iids), here.sum(), len(iids_included),
             len(features))  # fmt: skip
    provenance = {"stage": "modalities", "file": str(path), "features": len(features), "samples_in_file": len(iids),
                  "samples_in_cohort": len(iids_included), "n_samples": int(here.sum())}  # fmt: skip
    write_modality(output, values[np.flatnonzero(here)], pd.Index(iids)[here], features, provenance)


def _h5ad(path: Path) -> tuple[pd.Index, pd.DataFrame, np.ndarray | sparse.spmatrix]:
    data = read_modality(path)
    if data.X is None or data.X.dtype.kind not in "iufb":
        raise UserError(f"{path} has no numbers in X: store the samples x features there")
    values = sparse.csr_matrix(data.X) if sparse.issparse(data.X) else np.asarray(data.X)
    if values.dtype != np.int8:
        return data.obs_names, data.var, values.astype(np.float32)
    seen = np.unique(values.data if sparse.issparse(values) else values)
    odd = seen[(seen < 0) & (seen != MISSING) | (seen > 2)]
    if odd.size:
        raise UserError(
            f"{path} holds the int8 value {odd[0]}: genotypes are 0, 1, 2, or {MISSING} where missing; store other "
            "numbers as float32"
        )
    return data.obs_names, data.var, values


def read_external_table(path: Path, name: str) -> tuple[pd.Index, pd.DataFrame, np.ndarray]:
    """IIDs, features and values, float32 (samples, features), of a text table or a .parquet."""
    table = open_samples_table(path, Asked(f"modalities.{name}"))
    iids, values = table.read_all()
    return iids, pd.DataFrame(index=table.features), values
