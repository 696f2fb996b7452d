"""A genetic view of people as an AnnData file: obs_names are IIDs, var_names are feature ids, nothing is fitted."""

import json
from collections.abc import Mapping

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.errors import UserError
from contigwas.files import PathLike, replacing, require
from contigwas.people import require_unique

MISSING = -127  # an int8 genotype that was not called


def write_modality(
    path: PathLike,
    values: np.ndarray | sparse.spmatrix,
    iids: pd.Index,
    features: pd.DataFrame,
    provenance: Mapping[str, object],
    layers: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write `values` (people, features) with people `iids` and one row of `features` (indexed by id) a column.

    `layers` are further values of the same shape, by name. `provenance` (inputs, parameters, counts in and out) is
    stored as JSON in `uns["provenance"]`.
    """
    obs = pd.DataFrame(index=pd.Index(iids, dtype=str))
    var = features.copy()
    var.index = var.index.astype(str)
    told = json.dumps(provenance, default=str)
    data = ad.AnnData(X=values, obs=obs, var=var, layers=layers, uns={"provenance": told})
    with replacing(path) as temporary:
        if np.issubdtype(values.dtype, np.floating):
            data.write_h5ad(temporary)  # random digits do not shrink
        else:
            data.write_h5ad(temporary, compression="gzip", compression_opts=1)


def read_modality(path: PathLike) -> ad.AnnData:
    """Read an .h5ad modality; raises UserError when it is not one or when an IID stands twice."""
    path = require(path, "the modality's path")
    try:
        data = ad.read_h5ad(path)
    except (OSError, KeyError) as error:
        raise UserError(f"{path} is not an AnnData .h5ad file ({error}): write it with anndata") from None
    require_unique(data.obs_names, path)
    return data
