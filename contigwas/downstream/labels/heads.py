"""Heads on frozen features: a linear probe and k nearest neighbours."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_distances, manhattan_distances
from sklearn.preprocessing import StandardScaler

from contigwas.downstream.folds import count_families, split_by_family
from contigwas.downstream.labels.kinds import MULTICLASS, Target
from contigwas.downstream.scores import MAX_VALUES

PENALTIES = np.logspace(-4, 2, 7)  # C of the logistic regression, the inverse of the penalty
RIDGE = np.logspace(-2, 5, 15)  # alpha of the ridge regression
DEFAULT_PENALTY = 1.0  # C or alpha if they cannot be chosen by cross-validation
FOLDS = 5  # of the training samples, for the choice of the penalty
MAX_ITERATIONS = 2000
TIE = 1e-9  # smaller differences of distances are rounding errors


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardise both (samples, features) by mean and SD of the training samples; constant features become 0."""
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
    """Fit a linear model with an L2 penalty and return its predictions of `test`: (samples, `target.width`).

    `train` is (samples, features), `values` and `weights` are (samples, columns), `families` is (samples,). Classes and
    labels: logistic regression, one per label; C is chosen by the log loss in five-fold cross-validation that keeps
    families together. With fewer families of a class there are fewer folds; with one family C is 1. Numbers: ridge
    regression; alpha is chosen by the squared error of leaving one family out. Weights apply to fits, losses and
    errors.
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
    """Return probabilities (samples, classes) of `test`."""
    chosen, folds = DEFAULT_PENALTY, min(FOLDS, int(count_families(codes, families).min()))
    splits = split_by_family(codes, families, folds, seed) if folds > 1 else []
    classes = np.unique(codes)
    splits = [(inner, out) for inner, out in splits if len(np.unique(codes[inner])) == len(classes)]
    if splits:
        losses = np.zeros(len(PENALTIES))
        for inner, out in splits:
            place = np.searchsorted(classes, codes[out])[:, None]
            for number, c in enumerate(PENALTIES):
                model = LogisticRegression(C=c, max_iter=MAX_ITERATIONS)
                model.fit(train[inner], codes[inner], weights[inner])
                log_likelihood = np.take_along_axis(model.predict_log_proba(train[out]), place, axis=1)[:, 0]
                losses[number] -= weights[out] @ log_likelihood
        chosen = PENALTIES[int(losses.argmin())]
    return LogisticRegression(C=chosen, max_iter=MAX_ITERATIONS).fit(train, codes, weights).predict_proba(test)


def _ridge(
    train: np.ndarray, values: np.ndarray, test: np.ndarray, weights: np.ndarray, families: np.ndarray
) -> np.ndarray:
    """Return predicted numbers (samples,) of `test`."""
    centre, mean = np.average(train, axis=0, weights=weights), np.average(values, weights=weights)
    root = np.sqrt(weights)
    left, size, right = np.linalg.svd(root[:, None] * (train - centre), full_matrices=False)
    along, constant = left.T @ (root * (values - mean)), root / np.sqrt(weights.sum())
    alpha, members = DEFAULT_PENALTY, _families_by_size(families)
    if len(np.unique(families)) > 1:
        errors = []
        for one in RIDGE:
            shrink = size**2 / (size**2 + one)
            residual = root * (values - mean) - left @ (shrink * along)
            errors.append(sum(_left_out(left[some], shrink, constant[some], residual[some]) for some in members))
        alpha = RIDGE[int(np.argmin(errors))]
    return mean + (test - centre) @ (right.T @ (size / (size**2 + alpha) * along))


def _families_by_size(families: np.ndarray) -> list[np.ndarray]:
    """Return positions of samples, one array (families, members) for each size of family."""
    _, code, count = np.unique(families, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    starts = np.cumsum(count) - count
    return [order[starts[count == size][:, None] + np.arange(size)] for size in np.unique(count)]


def _left_out(left: np.ndarray, shrink: np.ndarray, constant: np.ndarray, residual: np.ndarray) -> float:
    """Return the summed squared error of leave-one-family-out ridge regression; arrays are (families, members, …).

    The errors of a family are (I - H)^-1 times the residuals of the fit to all samples. H is the block of the hat
    matrix of the family: `left` diag(`shrink`) `left`' + `constant` `constant`'.
    """
    hat = (left * shrink) @ left.swapaxes(1, 2) + constant[:, :, None] * constant[:, None, :]
    errors = np.linalg.solve(np.eye(hat.shape[1]) - hat, residual[:, :, None])
    return float(np.square(errors).sum())


def neighbours(train: np.ndarray, values: np.ndarray, test: np.ndarray, target: Target, count: int) -> np.ndarray:
    """Return the mean of `values`, or shares of classes, over the `count` nearest training samples; shapes as `probe`.

    Distances are cosine distances of standardised features. If only one feature varies they are absolute differences,
    because a cosine would be its sign only. At most half of the training samples are neighbours, since the mean over
    all would be constant. Samples that tie for the last places share them, so results do not depend on the order.
    """
    distance = cosine_distances if (np.ptp(train, axis=0) > 0).sum() > 1 else manhattan_distances
    train, test = standardised(train, test)
    count = min(count, max(1, len(train) // 2))
    if target.kind == MULTICLASS:
        values = np.eye(len(target.classes))[values[:, 0].astype(int)]
    block = max(1, MAX_VALUES // len(train))
    parts = [test[start : start + block] for start in range(0, len(test), block)]
    return np.concatenate([_neighbour_weights(distance(one, train), count) @ values / count for one in parts])


def _neighbour_weights(distances: np.ndarray, count: int) -> np.ndarray:
    """Return the share of the `count` places of each training sample; `distances` and result are (test, train)."""
    last = np.partition(distances, count - 1, axis=1)[:, [count - 1]]
    nearer, tied = distances < last - TIE, np.abs(distances - last) <= TIE
    return nearer + tied * (count - nearer.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
