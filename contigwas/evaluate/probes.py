"""Simulated traits predicted from frozen features by cross-validated ridge regression."""

import anndata as ad
import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contigwas.downstream.folds import split_by_family
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

FOLDS = 5
PENALTIES = np.logspace(-1, 5, 13)


def probe(embeddings: PathLike, latents: pd.DataFrame, families: pd.Series, seed: int) -> pd.DataFrame:
    """Return the cross-validated R2 of each trait predicted from embeddings of tested samples: latent r2 n_samples.

    `latents` (traits) and `families` are indexed by IID. Folds keep families together, and the result does not depend
    on the order of samples. R2 is NaN with fewer than 50 samples or 5 families. If the method uses genetics, the
    features of a sample are from a network that did not train on it, so there is no train-test leakage. Raises
    UserError for features that are not finite.
    """
    data = ad.read_h5ad(embeddings)
    data = data[data.obs["gwas_eligible"].to_numpy(bool)]
    shared = data.obs_names[data.obs_names.isin(latents.index)].sort_values()
    families = pd.factorize(families.loc[shared])[0]  # codes by the order of samples, not by the order of a file
    if len(shared) < 10 * FOLDS or len(np.unique(families)) < FOLDS:
        return pd.DataFrame({"latent": latents.columns, "r2": np.nan, "n_samples": len(shared)})
    features = np.asarray(data[shared].X, dtype=float)
    invalid = int((~np.isfinite(features).all(axis=1)).sum())
    if invalid:
        raise UserError(
            f"{embeddings}: features are not finite numbers for {invalid} of {len(shared)} tested samples. Remove "
            "these samples from the file, or train again with a smaller lr."
        )
    rows, split = [], split_by_family(np.zeros(len(shared), int), families, FOLDS, seed)
    for name in latents.columns:
        target = latents.loc[shared, name].to_numpy(float)
        ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
        predicted = cross_val_predict(ridge, features, target, cv=split)
        rows.append({"latent": name, "r2": r2_score(target, predicted), "n_samples": len(shared)})
    return pd.DataFrame(rows)
