"""Phenotypes from aligned embeddings: principal components, or the features themselves."""

import logging
from collections.abc import Mapping

import anndata as ad
import numpy as np
import pandas as pd

from contigwas.align.rotation import standardise
from contigwas.phenotypes.pca import Components, fit, read_pca, write_pca
from contigwas.phenotypes.write import write_tables
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_cohort
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)


def write_phenotypes(
    aligned: PathLike,
    reference: PathLike | None,
    cohort: PathLike,
    covariates: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
    output_phenotypes: PathLike,
    output_covariates: PathLike,
    output_pca: PathLike,
    images: PathLike | None = None,
    frozen: PathLike | None = None,
) -> None:
    """Write the phenotypes of the samples of `aligned` who are tested, their covariates, and the components.

    The components are fitted on the training samples of `reference`, the features of network 0 (without it, user-supplied
    embeddings: on everyone in `aligned`), standardised as alignment does, then applied to the aligned features.
    `frozen` is the pca.h5ad of another cohort, whose components are applied in their place. `settings`: components (0:
    the features themselves), transform (`inverse-normal`: residuals on the covariates and the fold indicators, then
    Blom's scores; `none`), covariates (names) and image_covariates (columns of the table `images`).
    phenotypes.parquet: iid, E1 … or the features' names; covariates.parquet: iid and the design's columns.
    Raises UserError when the two files hold other features, when nobody can be tested, and for covariates that do not
    exist.
    """
    data = read_modality(aligned)
    missing = [name for name in ("fold", "tested") if name not in data.obs]
    if missing:
        raise UserError(f"{aligned} has no obs column {', '.join(missing)}: run the stage align again")
    values = np.asarray(data.X, np.float64)
    components = None
    if frozen is not None:
        components = _frozen(frozen, data.var_names, aligned)
    elif int(settings["components"]):
        components = fit(_training(values, data, aligned, reference), int(settings["components"]))
    columns = data.var_names if components is None else components.names
    scores = values if components is None else components(values)
    features = pd.DataFrame(scores, index=data.obs_names.astype(str), columns=list(columns))
    tested = data.obs["tested"].to_numpy(bool)
    log.info("%d of %d samples are tested: the others were seen in training", tested.sum(), len(tested))
    samples = read_cohort(cohort)
    require_overlap(features.index, samples["iid"], f"the embeddings ({aligned})", f"the cohort ({cohort})")
    folds = pd.Series(data.obs["fold"].to_numpy(np.int64), index=features.index)
    tables = (output_phenotypes, output_covariates)
    write_tables(features[tested], folds[tested], samples, covariates, pcs, settings, *tables, images)
    nothing, one = np.zeros(values.shape[1]), np.ones(values.shape[1])
    write_pca(components, data.var_names, data.uns.get("mean0", nothing), data.uns.get("sd0", one), output_pca)


def _training(values: np.ndarray, data: ad.AnnData, aligned: PathLike, reference: PathLike | None) -> np.ndarray:
    """Standardised features (samples, features) of the samples that the components are fitted on."""
    if reference is None:
        return values
    first = read_modality(reference)
    if list(first.var_names) != list(data.var_names):
        raise UserError(f"{reference} and {aligned} hold different features: run the stage align again")
    role = first.obs["role"].astype(str).to_numpy()
    if not (role == "train").any():
        raise UserError(f"{reference} has no training sample: embed with the cohort that the network was trained on")
    return standardise(first.X, role)[0][role == "train"]


def _frozen(path: PathLike, features: pd.Index, aligned: PathLike) -> Components:
    """The components of another cohort, of the same `features` in the same order."""
    components, names, *_ = read_pca(path)
    if list(names) != list(features):
        raise UserError(f"{path} and {aligned} hold different features: apply the components of the same model")
    return components
