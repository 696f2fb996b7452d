"""Principal components, fitted on training samples and applied to all samples."""

import logging
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality

log = logging.getLogger(__name__)
NO_VARIANCE = 1e-10  # minimum variance relative to the first component


@dataclass(frozen=True)
class Components:
    """A fitted PCA.

    Attributes:
        names: E1, E2, …
        mean: mean of the features in the samples of the fit, float64 (features,).
        loadings: float64 (components, features), rows of unit length; the largest entry of each row is positive.
        variance: variance explained by each component, float64 (components,).
        ratio: share of the total variance explained by each component, float64 (components,).
    """

    names: list[str]
    mean: np.ndarray
    loadings: np.ndarray
    variance: np.ndarray
    ratio: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the scores (samples, components) of `features` (samples, features)."""
        return (features - self.mean) @ self.loadings.T


def fit(features: np.ndarray, components: int) -> Components:
    """Fit the first principal components of `features` (samples, features) by the eigenvectors of their covariance.

    Components without variance are left out with a warning. Raises UserError if there are too few features or samples.
    """
    samples, width = features.shape
    if components > min(samples - 1, width):
        raise UserError(
            f"config: phenotypes.components is {components}, but there are {width} features and {samples} samples. "
            f"Set it to at most {max(min(samples - 1, width), 0)}, or to 0 for the raw features"
        )
    mean = features.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(features - mean, rowvar=False).reshape(width, width))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1].T
    n_components = int((values[:components] > NO_VARIANCE * values[0]).sum())
    if n_components < components:
        log.warning(
            "only %d of the %d requested components have any variance: the others are left out",
            n_components,
            components,
        )
    loadings = vectors[:n_components]
    loadings = (
        loadings * np.where(loadings[np.arange(n_components), np.abs(loadings).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
    )
    ratio = values[:n_components] / values.sum() if n_components else np.empty(0)
    log.info("%d components explain %.1f %% of the variance of %d features (%d samples)", n_components,
             100 * ratio.sum(), width, samples)  # fmt: skip
    if not n_components:
        raise UserError(f"the {width} features do not vary in the {samples} training samples. Train or embed again")
    return Components(
        [f"E{number}" for number in range(1, n_components + 1)], mean, loadings, values[:n_components], ratio
    )


def write_pca(
    components: Components | None, features: pd.Index, mean: np.ndarray, sd: np.ndarray, path: PathLike
) -> None:
    """Write pca.h5ad: X has the loadings (components, features), obs has explained_variance and explained_ratio.

    uns has mean and sd, with which the features of network 0 were standardised, and centre, which is subtracted before
    the loadings are applied. Without components (raw features) X has no rows.
    """
    width = len(features)
    loadings = np.empty((0, width)) if components is None else components.loadings
    obs = pd.DataFrame(
        {
            "explained_variance": [] if components is None else components.variance,
            "explained_ratio": [] if components is None else components.ratio,
        },
        index=pd.Index([] if components is None else components.names, dtype=str),
        dtype=np.float64,
    )
    centre = np.zeros(width) if components is None else components.mean
    uns = {"mean": np.asarray(mean), "sd": np.asarray(sd), "centre": centre}
    data = ad.AnnData(X=loadings, obs=obs, var=pd.DataFrame(index=features.astype(str)), uns=uns)
    with replacing(path) as temporary:
        data.write_h5ad(temporary)


def read_pca(path: PathLike) -> tuple[Components, pd.Index, np.ndarray, np.ndarray]:
    """Read pca.h5ad: components, names of the features, and mean and sd of network 0, both float64 (features,).

    Raises UserError if the file is not a pca.h5ad or has no components.
    """
    data = read_modality(path)
    missing = [name for name in ("mean", "sd", "centre") if name not in data.uns]
    missing += [name for name in ("explained_variance", "explained_ratio") if name not in data.obs]
    if missing:
        raise UserError(f"{path}: {', '.join(missing)} missing. Supply a pca.h5ad of the stage phenotypes")
    if not data.n_obs:
        raise UserError(
            f"{path}: no components, because the phenotypes of this model are raw features (phenotypes.components: 0). "
            "Only components can be applied to another cohort: run the model with components"
        )
    variance, ratio = (data.obs[name].to_numpy(np.float64) for name in ("explained_variance", "explained_ratio"))
    loadings, centre = np.asarray(data.X, np.float64), np.asarray(data.uns["centre"], np.float64)
    components = Components(data.obs_names.tolist(), centre, loadings, variance, ratio)
    return components, data.var_names, np.asarray(data.uns["mean"]), np.asarray(data.uns["sd"])
