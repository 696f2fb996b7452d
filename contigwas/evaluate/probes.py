"""How well frozen features predict known traits, by ridge regression on people whom the probe did not see."""

import anndata as ad
import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contigwas.errors import UserError
from contigwas.files import PathLike

FOLDS = 5
PENALTIES = np.logspace(-1, 5, 13)


def probe(embeddings: PathLike, latents: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Cross-validated R2 of each latent from the embeddings of the tested people: columns latent, r2, people.

    `latents` is indexed by IID. The features of a person come from a network that did not train on them
    wherever the method saw genetics, so the R2 is free of its training. Raises UserError for features that are not
    finite numbers.
    """
    data = ad.read_h5ad(embeddings)
    data = data[data.obs["tested"].to_numpy(bool)]
    shared = data.obs_names[data.obs_names.isin(latents.index)]
    if len(shared) < 10 * FOLDS:
        return pd.DataFrame({"latent": latents.columns, "r2": np.nan, "people": len(shared)})
    features = np.asarray(data[shared].X, dtype=float)
    odd = int((~np.isfinite(features).all(axis=1)).sum())
    if odd:
        raise UserError(
            f"{embeddings} has features that are no finite numbers, of {odd} of {len(shared)} tested people: leave "
            "these people out of the file, or train again with a smaller lr"
        )
    rows = []
    for name in latents.columns:
        target = latents.loc[shared, name].to_numpy(float)
        ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
        split = KFold(FOLDS, shuffle=True, random_state=seed)
        predicted = cross_val_predict(ridge, features, target, cv=split)
        rows.append({"latent": name, "r2": r2_score(target, predicted), "people": len(shared)})
    return pd.DataFrame(rows)
