"""Principal components fitted on some samples and applied to all."""

import logging
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality

log = logging.getLogger(__name__)
NO_VARIANCE = 1e-10  # of the first component's


@dataclass(frozen=True)
class Components:
    """A fitted PCA.

    Attributes:
        names: E1, E2, …
        mean: of the features among the samples it was fitted on, float64 (features,).
        loadings: float64 (components, features), rows of unit length; the largest entry of each is positive.
        variance: explained by each component, float64 (components,).
        ratio: the same as a share of the total.
    """

    names: list[str]
    mean: np.ndarray
    loadings: np.ndarray
    variance: np.ndarray
    ratio: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Scores (samples, components) of `features` (samples, features)."""
        return (features - self.mean) @ self.loadings.T


def fit(features: np.ndarray, components: int) -> Components:
    """The first principal components of `features` (samples, features), by the eigenvectors of their covariance.

    Components without variance are left out with a warning. Raises UserError when there cannot be so many.
    """
    samples, width = features.shape
    if components > min(samples - 1, width):
        raise UserError(
            f"config: phenotypes.components is {components}, but there are {width} features of {samples} samples to fit "
            f"them on: set it to at most {max(min(samples - 1, width), 0)}, or to 0 for the raw features"
        )
    mean = features.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(features - mean, rowvar=False).reshape(width, width))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1].T
    real = int((values[:components] > NO_VARIANCE * values[0]).sum())
    if real < components:
        log.warning(
            "only %d of the %d components asked for have any variance: the others are left out", real, components
        )
    loadings = vectors[:real]
    loadings = loadings * np.where(loadings[np.arange(real), np.abs(loadings).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
    ratio = values[:real] / values.sum() if real else np.empty(0)
    log.info("%d components explain %.1f %% of the variance of %d features (%d samples)", real, 100 * ratio.sum(), width,
             samples)  # fmt: skip
    if not real:
        raise UserError(f"the {width} features do not vary among the {samples} training samples: train or embed again")
    return Components([f"E{number}" for number in range(1, real + 1)], mean, loadings, values[:real], ratio)


def write_pca(
    components: Components | None, features: pd.Index, mean: np.ndarray, sd: np.ndarray, path: PathLike
) -> None:
    """Write pca.h5ad: X loadings (components, features), obs explained_variance and explained_ratio.

    uns mean and sd say how network 0's features were standardised, uns centre what was subtracted before the
    loadings. Without components (raw features) it has no rows.
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
    """The components of pca.h5ad, the names of the features, and network 0's mean and sd (features,).

    Raises UserError when the file is something else, and when it has no components.
    """
    data = read_modality(path)
    missing = [name for name in ("mean", "sd", "centre") if name not in data.uns]
    missing += [name for name in ("explained_variance", "explained_ratio") if name not in data.obs]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}: supply a pca.h5ad as the stage phenotypes writes it")
    if not data.n_obs:
        raise UserError(
            f"{path} has no components, because that model's phenotypes are its raw features (phenotypes.components: "
            "0), which are not applied to another cohort: run it with components there"
        )
    variance, ratio = (data.obs[name].to_numpy(np.float64) for name in ("explained_variance", "explained_ratio"))
    loadings, centre = np.asarray(data.X, np.float64), np.asarray(data.uns["centre"], np.float64)
    components = Components(data.obs_names.tolist(), centre, loadings, variance, ratio)
    return components, data.var_names, np.asarray(data.uns["mean"]), np.asarray(data.uns["sd"])
