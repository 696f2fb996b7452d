"""Metrics of classification and regression with bootstrap intervals.

A resample is given by how often it holds each sample, so that a metric is computed for many resamples at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from contigwas.downstream.figures import DIFFERENCE
from contigwas.downstream.labels.kinds import BINARY, MULTICLASS, MULTILABEL, ORDINAL, REGRESSION, Target
from contigwas.downstream.scores import COLUMNS, MAX_VALUES, RESAMPLES

Measure = Callable[[np.ndarray], np.ndarray]  # counts of samples (resamples, samples) -> values (resamples,)
Key = tuple[str, float, int]  # arm, share, seed


class Ranked:
    """Scores (samples,) of cases and controls (bool `case` (samples,)), sorted once for all resamples."""

    def __init__(self, case: np.ndarray, scores: np.ndarray) -> None:
        self.order = np.argsort(scores, kind="stable")
        sorted_scores = scores[self.order]
        self.starts = np.flatnonzero(np.r_[True, np.diff(sorted_scores) > 0])  # of runs of equal scores
        self.case = case[self.order].astype(float)

    def _counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return cases and controls at each score, ascending: two arrays (resamples, scores)."""
        sorted_weights = weights[:, self.order]
        both = np.add.reduceat(sorted_weights, self.starts, axis=1)
        cases = np.add.reduceat(sorted_weights * self.case, self.starts, axis=1)
        return cases, both - cases

    def auroc(self, weights: np.ndarray) -> np.ndarray:
        """Return the probability that a case has a higher score than a control; ties count half."""
        cases, controls = self._counts(weights)
        below = np.cumsum(controls, axis=1) - controls / 2
        return _ratio((cases * below).sum(axis=1), cases.sum(axis=1) * controls.sum(axis=1))

    def auprc(self, weights: np.ndarray) -> np.ndarray:
        """Return the average precision: the precision at each score, weighted by the number of cases with it."""
        cases, controls = (one[:, ::-1] for one in self._counts(weights))
        true_positives, positives = np.cumsum(cases, axis=1), np.cumsum(cases + controls, axis=1)
        return _ratio((cases * _ratio(true_positives, positives, 0.0)).sum(axis=1), cases.sum(axis=1))


class Confusion:
    """Confusion matrix of true and predicted classes, int (samples,) each, below `classes`."""

    def __init__(self, true: np.ndarray, predicted: np.ndarray, classes: int) -> None:
        self.classes = classes
        self.cell = np.eye(classes**2)[true * classes + predicted]  # (samples, cells)

    def table(self, weights: np.ndarray) -> np.ndarray:
        """Return confusion matrices (resamples, true, predicted)."""
        return (weights @ self.cell).reshape(len(weights), self.classes, self.classes)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return the share of samples whose class is predicted."""
        table = self.table(weights)
        return np.trace(table, axis1=1, axis2=2) / table.sum(axis=(1, 2))

    def balanced_accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return the mean recall over the classes that are present."""
        table = self.table(weights)
        return _mean(_ratio(np.diagonal(table, axis1=1, axis2=2), table.sum(axis=2)))

    def kappa(self, weights: np.ndarray) -> np.ndarray:
        """Return Cohen's kappa with quadratic weights: 1 - observed / expected disagreement (Cohen 1968)."""
        table = self.table(weights)
        apart = np.subtract.outer(np.arange(self.classes), np.arange(self.classes)) ** 2
        chance = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None, :] / table.sum(axis=(1, 2))[:, None, None]
        return 1 - _ratio((table * apart).sum(axis=(1, 2)), (chance * apart).sum(axis=(1, 2)))


def r2(true: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return 1 - (sum of squared errors) / (sum of squares about the mean of the same samples)."""
    shifted = true - true.mean()  # a large mean would cost digits
    count, one, two, residual = (
        weights @ np.stack([np.ones_like(true), shifted, shifted**2, (true - predicted) ** 2]).T
    ).T
    total = two - one**2 / count
    # a total that small is a rounding error, as in a resample that holds a single sample
    return 1 - _ratio(residual, np.where(total > 1e-9 * two, total, 0.0))


def mae(true: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean absolute error."""
    return weights @ np.abs(true - predicted) / weights.sum(axis=1)


def measures(target: Target, values: np.ndarray, predicted: np.ndarray) -> dict[str, Measure]:
    """Return all metrics of a kind by name, for true `values` (samples, columns) and `predicted` (samples, width).

    `metric:name` is the metric of one class, label or threshold (`>=2`: grade 2 or higher). The plain name is then
    their mean over the classes, labels or thresholds that are defined in a resample.
    """
    if target.kind == REGRESSION:
        return {name: partial(one, values[:, 0], predicted[:, 0]) for name, one in (("r2", r2), ("mae", mae))}
    rounded = target.rounded(predicted)
    if target.kind == MULTILABEL:
        return _multilabel_measures(target, values, predicted, rounded)
    true = values[:, 0].astype(np.int64)
    table = Confusion(true, rounded, len(target.classes))
    result: dict[str, Measure] = {}
    if target.kind == ORDINAL:
        result["kappa"] = table.kappa
    result |= _ranking_measures(target, true, predicted)
    result |= {"accuracy": table.accuracy, "balanced_accuracy": table.balanced_accuracy}
    if target.kind == ORDINAL:
        result["mae"] = partial(mae, true.astype(float), rounded.astype(float))
    return result


def _ranking_measures(target: Target, true: np.ndarray, predicted: np.ndarray) -> dict[str, Measure]:
    if target.kind == BINARY:
        one = Ranked(true == 1, predicted[:, 0])
        return {"auroc": one.auroc, "auprc": one.auprc}
    if target.kind == MULTICLASS:
        each = {name: Ranked(true == place, predicted[:, place]) for place, name in enumerate(target.classes)}
    else:
        each = {
            f">={name}": Ranked(true >= place, predicted[:, 0])
            for place, name in enumerate(target.classes)
            if place > 0
        }
    return _averaged("auroc", {name: one.auroc for name, one in each.items()}) | (
        _averaged("auprc", {name: one.auprc for name, one in each.items()}) if target.kind == MULTICLASS else {}
    )


def _multilabel_measures(
    target: Target, values: np.ndarray, predicted: np.ndarray, rounded: np.ndarray
) -> dict[str, Measure]:
    result: dict[str, Measure] = {}
    ranked = [Ranked(one == 1, score) for one, score in zip(values.T, predicted.T, strict=True)]
    tables = [Confusion(one.astype(np.int64), two, 2) for one, two in zip(values.T, rounded.T, strict=True)]
    for metric, each in (("auroc", ranked), ("auprc", ranked), ("accuracy", tables), ("balanced_accuracy", tables)):
        result |= _averaged(metric, {n: getattr(one, metric) for n, one in zip(target.names, each, strict=True)})
    return result


def _averaged(metric: str, each: Mapping[str, Measure]) -> dict[str, Measure]:
    """Return the mean of several measures, under the plain name, and each of them as `metric:name`."""

    def mean(weights: np.ndarray) -> np.ndarray:
        return _mean(np.stack([one(weights) for one in each.values()], axis=1))

    return {metric: mean, **{f"{metric}:{name}": one for name, one in each.items()}}


def _ratio(above: np.ndarray, below: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """Return `above` / `below`, and `otherwise` where `below` is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), otherwise), where=below > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the columns, without NaN; NaN if all are NaN."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1).astype(float))


def resampled(families: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each sample is drawn in `RESAMPLES` bootstrap resamples, in blocks: float (resamples, samples).

    Whole families are drawn, because relatives resemble each other and carry less information than unrelated samples.
    `families` is (samples,).
    """
    codes, names = pd.factorize(families)
    rng, left, n_families = np.random.default_rng(seed), RESAMPLES, len(names)
    while left:
        block = min(left, max(1, MAX_VALUES // len(codes)))
        yield rng.multinomial(n_families, np.full(n_families, 1 / n_families), size=block).astype(float)[:, codes]
        left -= block


def tabulate(fits: Mapping[Key, Mapping[str, Measure]], families: np.ndarray, seed: int) -> pd.DataFrame:
    """Return a table of `COLUMNS` of all measures (see `contigwas.downstream.scores.tidy` for means of scores).

    `fits` has the measures of each arm, share and seed, all over the same samples in the same order; `families` is
    (samples,). A row with a seed is the value of that seed. A row without a seed is the mean over seeds with its 95 %
    percentile bootstrap interval over families. Resamples are the same for all seeds and arms, so an arm `a - b` is the
    difference within each resample. Resamples in which a measure is undefined are left out of its interval.
    """
    samples, groups = len(families), {}
    all_once = np.ones((1, samples))
    for arm, share, number in fits:
        groups.setdefault(share, {}).setdefault(arm, []).append(number)
    rows = [
        _row(arm, share, number, metric, float(measure(all_once)[0]), samples)
        for (arm, share, number), each in fits.items()
        for metric, measure in each.items()
    ]
    means = {key: np.concatenate(parts) for key, parts in _means(fits, groups, [all_once]).items()}
    drawn = {key: np.concatenate(parts) for key, parts in _means(fits, groups, resampled(families, seed)).items()}
    for metric in dict.fromkeys(metric for each in fits.values() for metric in each):
        for share in sorted(groups):
            of = {arm: (means[arm, share, metric][0], drawn[arm, share, metric]) for arm in groups[share]}
            compared = {
                f"{one}{DIFFERENCE}{other}": (of[one][0] - of[other][0], of[one][1] - of[other][1])
                for one, other in combinations(of, 2)
            }
            for name, (value, values) in (of | compared).items():
                low, high = percentiles(values)
                rows.append(_row(name, share, pd.NA, metric, float(value), samples, low, high))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "Int64"})


def _means(fits: Mapping, groups: Mapping, weights: Sequence[np.ndarray] | Iterator[np.ndarray]) -> dict[tuple, list]:
    """Return the means over seeds by arm, share and metric, as lists of blocks (resamples,)."""
    result: dict[tuple, list] = {}
    for block in weights:
        for share, arms in groups.items():
            for arm, seeds in arms.items():
                for metric in fits[arm, share, seeds[0]]:
                    each = [fits[arm, share, number][metric](block) for number in seeds]
                    result.setdefault((arm, share, metric), []).append(np.mean(each, axis=0))
    return result


def percentiles(values: np.ndarray) -> tuple[float, float]:
    """Return the 2.5 and 97.5 percentiles of the values that are not NaN."""
    values = values[~np.isnan(values)]
    return tuple(float(one) for one in np.percentile(values, [2.5, 97.5])) if len(values) else (np.nan, np.nan)


def _row(
    arm: str,
    share: float,
    seed: object,
    metric: str,
    value: float,
    samples: int,
    low: float = np.nan,
    high: float = np.nan,
) -> dict[str, object]:
    return {
        "arm": arm, "share": share, "seed": seed, "metric": metric, "value": value, "low": low, "high": high,
        "n_samples": samples,
    }  # fmt: skip
