"""Measures of all predictions together, of everyone and of resampled samples at once: counts stand for a resample."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from contigwas.downstream.figures import DIFFERENCE
from contigwas.downstream.labels.kinds import BINARY, MULTICLASS, MULTILABEL, ORDINAL, REGRESSION, Target
from contigwas.downstream.scores import COLUMNS, HELD, RESAMPLES

Measure = Callable[[np.ndarray], np.ndarray]  # how often each sample counts (resamples, samples) -> (resamples,)
Key = tuple[str, float, int]  # arm, share, seed


class Ranked:
    """Scores (samples,) of who is a case (bool (samples,)), sorted once for every resample."""

    def __init__(self, case: np.ndarray, scores: np.ndarray) -> None:
        self.order = np.argsort(scores, kind="stable")
        sorted_scores = scores[self.order]
        self.starts = np.flatnonzero(np.r_[True, np.diff(sorted_scores) > 0])  # of samples of one score
        self.case = case[self.order].astype(float)

    def _counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cases and others at each score, lowest first: (resamples, scores)."""
        sorted_weights = weights[:, self.order]
        every = np.add.reduceat(sorted_weights, self.starts, axis=1)
        cases = np.add.reduceat(sorted_weights * self.case, self.starts, axis=1)
        return cases, every - cases

    def auroc(self, weights: np.ndarray) -> np.ndarray:
        """How often a case has a higher score than another sample; half where they have the same."""
        cases, others = self._counts(weights)
        below = np.cumsum(others, axis=1) - others / 2
        return _ratio((cases * below).sum(axis=1), cases.sum(axis=1) * others.sum(axis=1))

    def auprc(self, weights: np.ndarray) -> np.ndarray:
        """Average precision: the precision at each score, weighted by the cases who have it."""
        cases, others = (one[:, ::-1] for one in self._counts(weights))
        found, above = np.cumsum(cases, axis=1), np.cumsum(cases + others, axis=1)
        return _ratio((cases * _ratio(found, above, 0.0)).sum(axis=1), cases.sum(axis=1))


class Confusion:
    """True and predicted classes, int (samples,) each, below `classes`."""

    def __init__(self, truth: np.ndarray, found: np.ndarray, classes: int) -> None:
        self.classes = classes
        self.cell = np.eye(classes**2)[truth * classes + found]  # (samples, cells)

    def table(self, weights: np.ndarray) -> np.ndarray:
        """(resamples, true, predicted)."""
        return (weights @ self.cell).reshape(len(weights), self.classes, self.classes)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """The share whose class is predicted."""
        table = self.table(weights)
        return np.trace(table, axis1=1, axis2=2) / table.sum(axis=(1, 2))

    def balanced_accuracy(self, weights: np.ndarray) -> np.ndarray:
        """The mean of the classes' shares, of classes that are there."""
        table = self.table(weights)
        return _mean(_ratio(np.diagonal(table, axis1=1, axis2=2), table.sum(axis=2)))

    def kappa(self, weights: np.ndarray) -> np.ndarray:
        """Cohen's kappa with quadratic weights: 1 - disagreement / that of independent ratings (Cohen 1968)."""
        table = self.table(weights)
        apart = np.subtract.outer(np.arange(self.classes), np.arange(self.classes)) ** 2
        chance = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None, :] / table.sum(axis=(1, 2))[:, None, None]
        return 1 - _ratio((table * apart).sum(axis=(1, 2)), (chance * apart).sum(axis=(1, 2)))


def r2(truth: np.ndarray, found: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """1 - squares about the prediction / squares about the mean of these samples."""
    shifted = truth - truth.mean()  # a large mean would cost digits
    count, one, two, residual = (
        weights @ np.stack([np.ones_like(truth), shifted, shifted**2, (truth - found) ** 2]).T
    ).T
    total = two - one**2 / count
    return 1 - _ratio(residual, np.where(total > 1e-9 * two, total, 0.0))  # of one sample over and over it is rounding


def mae(truth: np.ndarray, found: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean absolute error."""
    return weights @ np.abs(truth - found) / weights.sum(axis=1)


def measures(target: Target, values: np.ndarray, found: np.ndarray) -> dict[str, Measure]:
    """Every measure of a kind, by name, of true `values` (samples, columns) and what was `found` (samples, width).

    `metric:name` is of one class, label or threshold (`>=2`: that grade or a higher one), the plain name is then their
    mean, over those that a resample has.
    """
    if target.kind == REGRESSION:
        return {name: partial(one, values[:, 0], found[:, 0]) for name, one in (("r2", r2), ("mae", mae))}
    rounded = target.rounded(found)
    if target.kind == MULTILABEL:
        return _of_labels(target, values, found, rounded)
    truth = values[:, 0].astype(np.int64)
    table = Confusion(truth, rounded, len(target.classes))
    result: dict[str, Measure] = {}
    if target.kind == ORDINAL:
        result["kappa"] = table.kappa
    result |= _ranks(target, truth, found)
    result |= {"accuracy": table.accuracy, "balanced_accuracy": table.balanced_accuracy}
    if target.kind == ORDINAL:
        result["mae"] = partial(mae, truth.astype(float), rounded.astype(float))
    return result


def _ranks(target: Target, truth: np.ndarray, found: np.ndarray) -> dict[str, Measure]:
    if target.kind == BINARY:
        one = Ranked(truth == 1, found[:, 0])
        return {"auroc": one.auroc, "auprc": one.auprc}
    if target.kind == MULTICLASS:
        each = {name: Ranked(truth == place, found[:, place]) for place, name in enumerate(target.classes)}
    else:
        each = {
            f">={name}": Ranked(truth >= place, found[:, 0]) for place, name in enumerate(target.classes) if place > 0
        }
    return _averaged("auroc", {name: one.auroc for name, one in each.items()}) | (
        _averaged("auprc", {name: one.auprc for name, one in each.items()}) if target.kind == MULTICLASS else {}
    )


def _of_labels(target: Target, values: np.ndarray, found: np.ndarray, rounded: np.ndarray) -> dict[str, Measure]:
    result: dict[str, Measure] = {}
    ranked = [Ranked(one == 1, score) for one, score in zip(values.T, found.T, strict=True)]
    tables = [Confusion(one.astype(np.int64), two, 2) for one, two in zip(values.T, rounded.T, strict=True)]
    for metric, each in (("auroc", ranked), ("auprc", ranked), ("accuracy", tables), ("balanced_accuracy", tables)):
        result |= _averaged(metric, {n: getattr(one, metric) for n, one in zip(target.names, each, strict=True)})
    return result


def _averaged(metric: str, each: Mapping[str, Measure]) -> dict[str, Measure]:
    """The mean of several, under the plain name, and each."""

    def mean(weights: np.ndarray) -> np.ndarray:
        return _mean(np.stack([one(weights) for one in each.values()], axis=1))

    return {metric: mean, **{f"{metric}:{name}": one for name, one in each.items()}}


def _ratio(above: np.ndarray, below: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """`above` / `below`, and `otherwise` where that is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), otherwise), where=below > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the columns that are numbers; of none it is none."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(float))


def resampled(families: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """How often each sample is drawn in `RESAMPLES` bootstrap samples, some at a time: float (resamples, samples).

    As many of the `families` (samples,) as there are are drawn, each with everybody in it: relatives resemble each
    other, and tell less than as many strangers.
    """
    codes, names = pd.factorize(families)
    rng, left, many = np.random.default_rng(seed), RESAMPLES, len(names)
    while left:
        some = min(left, max(1, HELD // len(codes)))
        yield rng.multinomial(many, np.full(many, 1 / many), size=some).astype(float)[:, codes]
        left -= some


def tabulate(fits: Mapping[Key, Mapping[str, Measure]], families: np.ndarray, seed: int) -> pd.DataFrame:
    """A table of `COLUMNS`, as `contigwas.downstream.scores.tidy` gives it of means, of measures by fit.

    `fits` has the measures of each arm, share and seed, all over the same samples of `families` (samples,) in the same
    order. A row with a seed is that seed's; rows without one are the mean over seeds, with the 95 % percentile interval
    of resampled families (drawn alike for all seeds and arms, so that an arm `a - b` is a difference within each
    resample). Resamples in which a measure has no value are left out of its interval.
    """
    samples, groups = len(families), {}
    everyone = np.ones((1, samples))
    for arm, share, number in fits:
        groups.setdefault(share, {}).setdefault(arm, []).append(number)
    rows = [
        _row(arm, share, number, metric, float(measure(everyone)[0]), samples)
        for (arm, share, number), each in fits.items()
        for metric, measure in each.items()
    ]
    means = {key: np.concatenate(parts) for key, parts in _means(fits, groups, [everyone]).items()}
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
    """The mean over seeds by arm, share and metric: parts of (resamples,)."""
    result: dict[tuple, list] = {}
    for some in weights:
        for share, arms in groups.items():
            for arm, seeds in arms.items():
                for metric in fits[arm, share, seeds[0]]:
                    each = [fits[arm, share, number][metric](some) for number in seeds]
                    result.setdefault((arm, share, metric), []).append(np.mean(each, axis=0))
    return result


def percentiles(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of those that are numbers."""
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
