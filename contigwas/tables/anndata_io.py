"""A genetic view of samples as an AnnData file: obs_names are IIDs, var_names are feature ids, nothing is fitted."""

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
    import anndata as ad  # takes half a second to import, which those who only want a constant need not wait for

MISSING = -127  # an int8 genotype that was not called
CHUNK = (8192, 32)  # samples and features that are stored together


def write_modality(
    path: PathLike,
    values: np.ndarray | sparse.spmatrix,
    iids: pd.Index,
    features: pd.DataFrame,
    provenance: Mapping[str, object],
    layers: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write `values` (samples, features) with samples `iids` and one row of `features` (indexed by id) a column.

    `layers` are further values of the same shape, by name. `provenance` (inputs, parameters, counts in and out) is
    stored as JSON in `uns["provenance"]`.
    """
    import anndata as ad

    obs, var, uns = _described(iids, features, provenance)
    data = ad.AnnData(X=values, obs=obs, var=var, layers=layers, uns=uns)
    with replacing(path) as temporary:
        if np.issubdtype(values.dtype, np.floating):
            data.write_h5ad(temporary)  # random digits do not shrink
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
    """Write the same file from blocks of neighbouring columns (samples, some features), one in memory at a time.

    Columns that the caller adds to `features` while the blocks are made are written too: what only the values tell.
    """
    import anndata as ad

    shape = len(iids), len(features)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        chunk = tuple(max(1, min(most, size)) for most, size in zip(CHUNK, shape, strict=True))
        values = file.create_dataset("X", shape, dtype, chunks=chunk, compression="gzip", compression_opts=1)
        values.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        # whole chunks are written: a rest waits for its neighbours
        start, rest = 0, np.empty((shape[0], 0), dtype)
        for block in blocks:
            rest = np.hstack([rest, block])
            whole = rest.shape[1] - rest.shape[1] % CHUNK[1]
            values[:, start : start + whole] = rest[:, :whole]
            start, rest = start + whole, rest[:, whole:]
        values[:, start:] = rest
        obs, var, uns = _described(iids, features, provenance)
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        groups = {name: {} for name in ("layers", "obsm", "obsp", "varm", "varp")}
        for name, element in {"obs": obs, "var": var, "uns": uns, **groups}.items():
            ad.io.write_elem(file, name, element)


def _described(
    iids: pd.Index, features: pd.DataFrame, provenance: Mapping[str, object]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    var = features.copy()
    var.index = var.index.astype(str)
    uns = {"provenance": json.dumps(provenance, default=str)}
    return pd.DataFrame(index=pd.Index(iids, dtype=str)), var, uns


def read_modality(path: PathLike) -> "ad.AnnData":
    """Read an .h5ad modality; raises UserError when it is not one or when an IID or a feature is duplicated."""
    import anndata as ad

    path = require(path, "the modality's path")
    try:
        data = ad.read_h5ad(path)
    except (OSError, KeyError) as error:
        raise UserError(f"{path} is not an AnnData .h5ad file ({error}): write it with anndata") from None
    require_unique(data.obs_names, path)
    require_features(data.var_names, path)
    return data


def require_features(names: pd.Index, path: Path) -> None:
    """Raise UserError when a feature is duplicated."""
    twice = names[names.duplicated()]
    if len(twice):
        raise UserError(
            f"{path}: {twice.nunique()} features appear more than once (the first is {twice[0]}): name each once"
        )
