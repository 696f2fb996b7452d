"""Scores by sample, their means with bootstrap intervals, and paired differences, as one tidy table."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

RESAMPLES = 2000
HELD = 2**22  # values drawn at once: all resamples of a large cohort would not fit in memory
COLUMNS = ["arm", "share", "seed", "metric", "value", "low", "high", "n_samples"]


def dice(both: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """2 |P and T| / (|P| + |T|) of counts of pixels; 1 where neither has any."""
    total = np.asarray(predicted, float) + truth
    return np.where(total > 0, 2.0 * both / np.maximum(total, 1), 1.0)


def iou(both: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """|P and T| / |P or T| of counts of pixels; 1 where neither has any."""
    union = np.asarray(predicted, float) + truth - both
    return np.where(union > 0, both / np.maximum(union, 1), 1.0)


def tidy(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A table of `COLUMNS` from scores by sample: iid arm share seed metric value.

    A row with a seed is the mean over samples of that seed. Rows without one are of each sample's mean over the seeds,
    with the 95 % percentile interval of resampled samples; an arm `a - b` is the difference of two arms by sample.
    """
    rows = [
        {"arm": arm, "share": share, "seed": number, "metric": metric, "value": part.mean(), "n_samples": len(part)}
        for (arm, share, metric, number), part in scores.groupby(["arm", "share", "metric", "seed"], sort=False)[
            "value"
        ]
    ]
    arms = list(dict.fromkeys(scores["arm"]))
    samples = scores.groupby(["metric", "share", "arm", "iid"])["value"].mean()
    for metric in dict.fromkeys(scores["metric"]):
        for share in sorted(set(scores["share"])):
            of = {arm: samples[metric, share, arm] for arm in arms}
            compared = {f"{one} - {other}": of[one] - of[other] for one, other in combinations(arms, 2)}
            for name, values in (of | compared).items():
                low, high = interval(values.to_numpy(), seed)
                summary = {"value": values.mean(), "low": low, "high": high, "n_samples": len(values)}
                rows.append({"arm": name, "share": share, "seed": pd.NA, "metric": metric, **summary})
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "Int64"})


def interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of `values` (samples,) under resampling of samples."""
    values = np.asarray(values, float)
    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    settings = {"n_resamples": RESAMPLES, "batch": max(1, HELD // len(values)), "method": "percentile"}
    found = bootstrap((values,), np.mean, **settings, rng=np.random.default_rng(seed)).confidence_interval
    return float(found.low), float(found.high)
