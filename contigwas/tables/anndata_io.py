"""Modalities as AnnData files: obs_names are IIDs, var_names are feature IDs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import require

if TYPE_CHECKING:
    import anndata as ad  # imported late, because the import takes half a second

MISSING = -127  # code of a missing int8 genotype
CHUNK = (8192, 32)  # samples and features of an HDF5 chunk


def write_modality(
    path: PathLike,
    values: np.ndarray | sparse.spmatrix,
    iids: pd.Index,
    features: pd.DataFrame,
    provenance: Mapping[str, object],
    layers: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a modality with `values` (samples, features), samples `iids` and `features`, indexed by feature ID.

    `layers` are further arrays of the same shape, by name. `provenance` (inputs, parameters and counts) is stored as
    JSON in `uns["provenance"]`.
    """
    import anndata as ad

    obs, var, uns = _annotations(iids, features, provenance)
    data = ad.AnnData(X=values, obs=obs, var=var, layers=layers, uns=uns)
    with replacing(path) as temporary:
        if np.issubdtype(values.dtype, np.floating):
            data.write_h5ad(temporary)  # floating-point values hardly compress
        else:
            data.write_h5ad(temporary, compression="gzip", compression_opts=1)


def write_blocks(
    path: PathLike,
    blocks: Iterable[np.ndarray],
    dtype: type,
    iids: pd.Index,
    features: pd.DataFrame,
    provenance: Mapping[str, object],
) -> None:
    """Write the file of `write_modality` from blocks of columns (samples, k), with one block in memory at a time.

    `features` is written last, so that the caller may add columns to it while it makes the blocks.
    """
    import anndata as ad

    shape = len(iids), len(features)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        chunk = tuple(max(1, min(maximum, size)) for maximum, size in zip(CHUNK, shape, strict=True))
        values = file.create_dataset("X", shape, dtype, chunks=chunk, compression="gzip", compression_opts=1)
        values.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        # Only complete chunks are written; remaining columns are kept for the next block.
        start, rest = 0, np.empty((shape[0], 0), dtype)
        for block in blocks:
            rest = np.hstack([rest, block])
            n_complete = rest.shape[1] - rest.shape[1] % CHUNK[1]
            values[:, start : start + n_complete] = rest[:, :n_complete]
            start, rest = start + n_complete, rest[:, n_complete:]
        values[:, start:] = rest
        obs, var, uns = _annotations(iids, features, provenance)
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        groups = {name: {} for name in ("layers", "obsm", "obsp", "varm", "varp")}
        for name, element in {"obs": obs, "var": var, "uns": uns, **groups}.items():
            ad.io.write_elem(file, name, element)


def _annotations(
    iids: pd.Index, features: pd.DataFrame, provenance: Mapping[str, object]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Return obs, var and uns."""
    var = features.copy()
    var.index = var.index.astype(str)
    uns = {"provenance": json.dumps(provenance, default=str)}
    return pd.DataFrame(index=pd.Index(iids, dtype=str)), var, uns


def read_modality(path: PathLike) -> "ad.AnnData":
    """Read a modality (.h5ad); raise UserError if it is invalid, or an IID or a feature is duplicated."""
    import anndata as ad

    path = require(path, "the modality's path")
    try:
        data = ad.read_h5ad(path)
    except (OSError, KeyError) as error:
        raise UserError(f"{path} is not an AnnData .h5ad file ({error}). Write it with anndata") from None
    require_unique(data.obs_names, path)
    require_features(data.var_names, path)
    return data


def require_features(names: pd.Index, path: Path) -> None:
    """Raise UserError if a feature is duplicated."""
    duplicates = names[names.duplicated()]
    if len(duplicates):
        raise UserError(
            f"{path}: {duplicates.nunique()} features are duplicated (first {duplicates[0]}). Rename or drop them"
        )
