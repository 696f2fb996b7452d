"""How well frozen features predict known traits, by ridge regression on samples that the probe did not see."""

import anndata as ad
import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contigwas.downstream.folds import families_apart
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

FOLDS = 5
PENALTIES = np.logspace(-1, 5, 13)


def probe(embeddings: PathLike, latents: pd.DataFrame, families: pd.Series, seed: int) -> pd.DataFrame:
    """Cross-validated R2 of each latent from the embeddings of the tested samples: columns latent, r2, samples.

    `latents` and `families` are indexed by IID. No family is on both sides of a fold, and the order of samples changes
    nothing. NaN with fewer than 50 samples or 5 families. The features of a sample come from a network that did not
    train on them wherever the method saw genetics, so the R2 is free of its training. Raises UserError for features
    that are not finite numbers.
    """
    data = ad.read_h5ad(embeddings)
    data = data[data.obs["tested"].to_numpy(bool)]
    shared = data.obs_names[data.obs_names.isin(latents.index)].sort_values()
    families = pd.factorize(families.loc[shared])[0]  # numbered by the order of samples, not by that of a file
    if len(shared) < 10 * FOLDS or len(np.unique(families)) < FOLDS:
        return pd.DataFrame({"latent": latents.columns, "r2": np.nan, "n_samples": len(shared)})
    features = np.asarray(data[shared].X, dtype=float)
    odd = int((~np.isfinite(features).all(axis=1)).sum())
    if odd:
        raise UserError(
            f"{embeddings} has features that are no finite numbers, of {odd} of {len(shared)} tested samples: leave "
            "these samples out of the file, or train again with a smaller lr"
        )
    rows, split = [], families_apart(np.zeros(len(shared), int), families, FOLDS, seed)
    for name in latents.columns:
        target = latents.loc[shared, name].to_numpy(float)
        ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
        predicted = cross_val_predict(ridge, features, target, cv=split)
        rows.append({"latent": name, "r2": r2_score(target, predicted), "n_samples": len(shared)})
    return pd.DataFrame(rows)
