"""What is fitted to the features of a network that stays as it is: a linear probe, and the nearest neighbours."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_distances, manhattan_distances
from sklearn.preprocessing import StandardScaler

from contigwas.downstream.folds import families_apart, families_with
from contigwas.downstream.labels.kinds import MULTICLASS, Target
from contigwas.downstream.scores import HELD

PENALTIES = np.logspace(-4, 2, 7)  # C of the logistic regression, 1 / penalty
RIDGE = np.logspace(-2, 5, 15)  # alpha
PLAIN = 1.0  # either, where there is nothing to choose it by
FOLDS = 5  # within the training samples, by which the penalty is chosen
STEPS = 2000  # of the solver
TIE = 1e-9  # distances that differ by less are the same, but for rounding


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both (samples, features) with mean 0 and SD 1 among those who train; a feature that is constant there is 0."""
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), np.where(scaler.var_ > 0, scaler.transform(test), 0.0)


def probe(
    train: np.ndarray,
    values: np.ndarray,
    test: np.ndarray,
    target: Target,
    weights: np.ndarray,
    families: np.ndarray,
    seed: int,
) -> np.ndarray:
    """A linear model with an L2 penalty, fitted to `train` (samples, features) with `values` (samples, columns).

    Logistic regression, of several labels one each, whose penalty is chosen by the log loss in five folds of the
    training samples, `families` (samples,) together (fewer folds where a class has fewer families; of one family none is
    chosen, and C is 1). Numbers: ridge regression, its penalty by the error of leaving one family out. `weights` (as
    `values`) count in fits, losses and errors. What it predicts of `test`: (samples, `target.width`).
    """
    train, test = standardised(train, test)
    if target.is_number:
        return _ridge(train, values[:, 0], test, weights[:, 0], families)[:, None]
    columns = [
        _logistic(train, one, test, weight, families, seed) for one, weight in zip(values.T, weights.T, strict=True)
    ]
    return columns[0] if target.kind == MULTICLASS else np.stack([one[:, 1] for one in columns], axis=1)


def _logistic(
    train: np.ndarray, codes: np.ndarray, test: np.ndarray, weights: np.ndarray, families: np.ndarray, seed: int
) -> np.ndarray:
    """Probabilities (samples, classes) of `test`."""
    chosen, folds = PLAIN, min(FOLDS, int(families_with(codes, families).min()))
    apart = families_apart(codes, families, folds, seed) if folds > 1 else []
    classes = np.unique(codes)
    apart = [(into, out) for into, out in apart if len(np.unique(codes[into])) == len(classes)]
    if apart:
        losses = np.zeros(len(PENALTIES))
        for into, out in apart:
            place = np.searchsorted(classes, codes[out])[:, None]
            for number, c in enumerate(PENALTIES):
                model = LogisticRegression(C=c, max_iter=STEPS).fit(train[into], codes[into], weights[into])
                likely = np.take_along_axis(model.predict_log_proba(train[out]), place, axis=1)[:, 0]
                losses[number] -= weights[out] @ likely
        chosen = PENALTIES[int(losses.argmin())]
    return LogisticRegression(C=chosen, max_iter=STEPS).fit(train, codes, weights).predict_proba(test)


def _ridge(
    train: np.ndarray, values: np.ndarray, test: np.ndarray, weights: np.ndarray, families: np.ndarray
) -> np.ndarray:
    """Numbers (samples,) of `test`."""
    centre, mean = np.average(train, axis=0, weights=weights), np.average(values, weights=weights)
    root = np.sqrt(weights)
    left, size, right = np.linalg.svd(root[:, None] * (train - centre), full_matrices=False)
    along, constant = left.T @ (root * (values - mean)), root / np.sqrt(weights.sum())
    alpha, members = PLAIN, _by_size(families)
    if len(np.unique(families)) > 1:
        errors = []
        for one in RIDGE:
            shrink = size**2 / (size**2 + one)
            residual = root * (values - mean) - left @ (shrink * along)
            errors.append(sum(_left_out(left[some], shrink, constant[some], residual[some]) for some in members))
        alpha = RIDGE[int(np.argmin(errors))]
    return mean + (test - centre) @ (right.T @ (size / (size**2 + alpha) * along))


def _by_size(families: np.ndarray) -> list[np.ndarray]:
    """Positions of samples, (families, members) of families of each size."""
    _, code, count = np.unique(families, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    starts = np.cumsum(count) - count
    return [order[starts[count == size][:, None] + np.arange(size)] for size in np.unique(count)]


def _left_out(left: np.ndarray, shrink: np.ndarray, constant: np.ndarray, residual: np.ndarray) -> float:
    """The squared error of ridge regression in families (families, members, …) whom it was fitted without.

    With H the hat matrix, `left` diag(`shrink`) `left`' + `constant` `constant`', it is (I - H of the family)^-1 times
    the residuals of the fit to everybody.
    """
    hat = (left * shrink) @ left.swapaxes(1, 2) + constant[:, :, None] * constant[:, None, :]
    found = np.linalg.solve(np.eye(hat.shape[1]) - hat, residual[:, :, None])
    return float(np.square(found).sum())


def neighbours(train: np.ndarray, values: np.ndarray, test: np.ndarray, target: Target, count: int) -> np.ndarray:
    """The mean over the `count` nearest of `train`, by cosine of standardised features.

    Of one feature that varies it is by distance: a cosine would be its sign. They are half of `train` at most (one of a
    single sample): of everybody the mean would be the same for all who are asked. Those who tie for the last places
    share them, so that the order of samples decides nothing. Of classes these are their shares. Shapes as of `probe`.
    """
    apart = cosine_distances if (np.ptp(train, axis=0) > 0).sum() > 1 else manhattan_distances
    train, test = standardised(train, test)
    count = min(count, max(1, len(train) // 2))
    if target.kind == MULTICLASS:
        values = np.eye(len(target.classes))[values[:, 0].astype(int)]
    at_once = max(1, HELD // len(train))
    parts = [test[start : start + at_once] for start in range(0, len(test), at_once)]
    return np.concatenate([_shares(apart(one, train), count) @ values / count for one in parts])


def _shares(distances: np.ndarray, count: int) -> np.ndarray:
    """Of `count` places how many each sample has, from `distances` (asked, samples), the same shape."""
    last = np.partition(distances, count - 1, axis=1)[:, [count - 1]]
    nearer, tied = distances < last - TIE, np.abs(distances - last) <= TIE
    return nearer + tied * (count - nearer.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
