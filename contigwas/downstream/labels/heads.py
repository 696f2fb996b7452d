"""What is fitted to the features of a network that stays as it is: a linear probe, and the nearest neighbours."""

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from contigwas.downstream.labels.kinds import MULTICLASS, Target

PENALTIES = np.logspace(-4, 2, 7)  # C of the logistic regression, 1 / penalty
RIDGE = np.logspace(-2, 5, 15)  # alpha
FOLDS = 5  # within the training people, by which the penalty is chosen
STEPS = 2000  # of the solver


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both (people, features) with mean 0 and SD 1 among those who train; a feature that is constant there is 0."""
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), np.where(scaler.var_ > 0, scaler.transform(test), 0.0)


def probe(
    train: np.ndarray, values: np.ndarray, test: np.ndarray, target: Target, weights: np.ndarray, seed: int
) -> np.ndarray:
    """A linear model with an L2 penalty, fitted to `train` (people, features) with `values` (people, columns).

    Logistic regression, of several labels one each, whose penalty is chosen by the log loss in five folds of the
    training people (fewer where a class has fewer people; of one person none is chosen, and C is 1). Numbers: ridge
    regression, its penalty by the error of leaving one out. What it predicts of `test`: (people, `target.width`).
    """
    train, test = standardised(train, test)
    if target.is_number:
        model = RidgeCV(RIDGE).fit(train, values[:, 0], sample_weight=weights[:, 0])
        return model.predict(test)[:, None]
    columns = [_logistic(train, one, test, weight, seed) for one, weight in zip(values.T, weights.T, strict=True)]
    return columns[0] if target.kind == MULTICLASS else np.stack([one[:, 1] for one in columns], axis=1)


def _logistic(train: np.ndarray, codes: np.ndarray, test: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    """Probabilities (people, classes) of `test`."""
    _, count = np.unique(codes, return_counts=True)
    folds = min(FOLDS, int(count.min()))
    model = LogisticRegression(max_iter=STEPS)
    if folds > 1:
        split = StratifiedKFold(folds, shuffle=True, random_state=seed)
        model = GridSearchCV(model, {"C": PENALTIES}, scoring="neg_log_loss", cv=split)
    return model.fit(train, codes, sample_weight=weights).predict_proba(test)


def neighbours(train: np.ndarray, values: np.ndarray, test: np.ndarray, target: Target, count: int) -> np.ndarray:
    """The mean over the `count` nearest of `train` (all, where there are fewer), by cosine of standardised features.

    Of classes these are their shares. Shapes as of `probe`.
    """
    train, test = standardised(train, test)
    found = NearestNeighbors(n_neighbors=min(count, len(train)), metric="cosine").fit(train)
    near = found.kneighbors(test, return_distance=False)
    if target.kind == MULTICLASS:
        values = np.eye(len(target.classes))[values[:, 0].astype(int)]
    return values[near].mean(axis=1)
