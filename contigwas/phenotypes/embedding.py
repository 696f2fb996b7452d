"""Phenotypes from aligned embeddings: principal components or the features themselves."""

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
    """Write the phenotypes of the tested samples of `aligned`, their covariates, and the principal components.

    Args:
        aligned: aligned embeddings.
        reference: features of network 0, on whose training samples the components are fitted, standardised as in the
            alignment. None for user-supplied embeddings: the components are fitted on all samples of `aligned`.
        cohort: cohort.tsv.
        covariates: the table samples.covariates, or None.
        pcs: genetic principal components, or None.
        settings: components (0: the features themselves), transform (`inverse-normal`: Blom scores of the residuals on
            the covariates and the fold indicators; `none`), covariates (names) and image_covariates (columns of
            `images`).
        output_phenotypes: Parquet table of iid and E1, E2, … or the names of the features.
        output_covariates: Parquet table of iid and the design columns.
        output_pca: pca.h5ad, as `write_pca` writes it.
        images: table of images, or None.
        frozen: pca.h5ad of another cohort, whose components are applied instead of fitted ones.

    Raises UserError if the embeddings have different features, if no sample can be tested, and for covariates that do
    not exist.
    """
    data = read_modality(aligned)
    missing = [name for name in ("fold", "gwas_eligible") if name not in data.obs]
    if missing:
        raise UserError(f"{aligned}: no obs column {', '.join(missing)}. Run the stage align again")
    values = np.asarray(data.X, np.float64)
    components = None
    if frozen is not None:
        components = _frozen(frozen, data.var_names, aligned)
    elif int(settings["components"]):
        components = fit(_training(values, data, aligned, reference), int(settings["components"]))
    columns = data.var_names if components is None else components.names
    scores = values if components is None else components(values)
    features = pd.DataFrame(scores, index=data.obs_names.astype(str), columns=list(columns))
    tested = data.obs["gwas_eligible"].to_numpy(bool)
    log.info("%d of %d samples are eligible for the GWAS; the others are training samples", tested.sum(), len(tested))
    samples = read_cohort(cohort)
    require_overlap(features.index, samples["iid"], f"the embeddings ({aligned})", f"the cohort ({cohort})")
    folds = pd.Series(data.obs["fold"].to_numpy(np.int64), index=features.index)
    tables = (output_phenotypes, output_covariates)
    write_tables(features[tested], folds[tested], samples, covariates, pcs, settings, *tables, images)
    zeros, ones = np.zeros(values.shape[1]), np.ones(values.shape[1])
    write_pca(components, data.var_names, data.uns.get("mean0", zeros), data.uns.get("sd0", ones), output_pca)


def _training(values: np.ndarray, data: ad.AnnData, aligned: PathLike, reference: PathLike | None) -> np.ndarray:
    """Return the standardised features, float64 (samples, features), that the components are fitted on."""
    if reference is None:
        return values
    first = read_modality(reference)
    if list(first.var_names) != list(data.var_names):
        raise UserError(f"{reference} and {aligned} have different features. Run the stage align again")
    role = first.obs["role"].astype(str).to_numpy()
    if not (role == "train").any():
        raise UserError(f"{reference}: no training sample. Embed with the cohort that the network was trained on")
    return standardise(first.X, role)[0][role == "train"]


def _frozen(path: PathLike, features: pd.Index, aligned: PathLike) -> Components:
    """Read the components of another cohort; raise UserError unless they have the same `features` in the same order."""
    components, names, *_ = read_pca(path)
    if list(names) != list(features):
        raise UserError(f"{path} and {aligned} have different features. Apply the components of the same model")
    return components
