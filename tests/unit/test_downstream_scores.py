"""Dice and IoU against MONAI, intervals against their closed form, differences in pairs."""

import numpy as np
import pandas as pd
import pytest
import torch
from monai.metrics import DiceMetric, MeanIoU
from monai.networks.utils import one_hot

from contigwas.downstream import figures, scores
from contigwas.downstream.segmentation.fit import counts


@pytest.fixture(scope="module")
def volumes():
    """Predicted and true classes of 12 images, in some of which a class is absent on one side or on both."""
    rng = np.random.default_rng(5)
    truth, found = (torch.from_numpy(rng.choice(3, (12, 9, 8, 7), p=(0.8, 0.15, 0.05))) for _ in range(2))
    found[truth == 1] = 1
    truth[3][truth[3] == 2] = 0
    found[3][found[3] == 2] = 1
    truth[4][truth[4] == 2] = 0
    found[5][found[5] == 2] = 0
    return found, truth


@pytest.mark.parametrize(("formula", "metric"), [(scores.dice, DiceMetric), (scores.iou, MeanIoU)])
def test_scores_are_those_of_monai(volumes, formula, metric):
    found, truth = volumes
    oracle = metric(include_background=False, reduction="none", ignore_empty=False)
    expected = oracle(one_hot(found[:, None], 3), one_hot(truth[:, None], 3)).numpy()
    both, predicted, true = np.moveaxis(counts(found, truth, 3), 2, 0)
    assert np.allclose(formula(both, predicted, true), expected, atol=1e-6)
    assert expected[3, 1] == 1, "the class is in neither"
    assert expected[4, 1] == expected[5, 1] == 0


def frame(samples=200, seeds=3):
    rng = np.random.default_rng(8)
    skill = rng.normal(0.7, 0.1, samples)
    rows = [
        {"iid": f"p{sample}", "arm": arm, "share": share, "seed": seed, "metric": "dice",
         "value": skill[sample] + better + rng.normal(0, 0.02)}
        for arm, better in (("a", 0.05), ("b", 0.0)) for share in (0.1, 1.0) for seed in range(seeds)
        for sample in rng.permutation(samples)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_interval_is_that_of_the_means_standard_error():
    values = np.random.default_rng(2).normal(size=400)
    low, high = scores.interval(values, 1)
    error = values.std() / np.sqrt(400)
    assert np.isclose(low, values.mean() - 1.96 * error, atol=0.15 * error)
    assert np.isclose(high, values.mean() + 1.96 * error, atol=0.15 * error)
    assert scores.interval(values, 1) == (low, high)
    assert scores.interval([0.5, 0.5], 1) == (0.5, 0.5)


def test_resamples_are_drawn_in_batches(monkeypatch):
    """2,000 resamples of 100,000 samples at once would be 1.6 GB of places, and as much of values."""
    held = []

    def mean(values, axis):
        held.append(values.size)
        return values.mean(axis=axis)

    monkeypatch.setattr(scores, "RESAMPLES", 100)
    monkeypatch.setattr(scores.np, "mean", mean)
    low, high = scores.interval(np.random.default_rng(2).normal(size=100_000), 1)
    assert max(held) <= 2**22 and sum(held) >= 100 * 100_000
    assert -0.01 < low < high < 0.01


def test_the_summary_averages_a_samples_seeds_first():
    rows = frame()
    table = scores.tidy(rows, 1)
    own = rows[(rows["arm"] == "a") & (rows["share"] == 1.0)]
    summary = table[(table["arm"] == "a") & (table["share"] == 1.0) & table["seed"].isna()].iloc[0]
    of_samples = own.groupby("iid")["value"].mean()
    assert np.isclose(summary["value"], of_samples.mean())
    assert (summary["low"], summary["high"]) == pytest.approx(
        scores.interval(of_samples.sort_index().to_numpy(), 1), abs=1e-12
    )
    assert summary["n_samples"] == 200
    single = table[(table["arm"] == "a") & (table["share"] == 1.0) & (table["seed"] == 2)].iloc[0]
    assert np.isclose(single["value"], own.loc[own["seed"] == 2, "value"].mean())
    assert pd.isna(single["low"])


def test_two_arms_are_compared_by_sample():
    """The difference is far surer than either arm, since the same samples are in both."""
    table = scores.tidy(frame(), 1)
    summary = table[table["seed"].isna() & (table["share"] == 0.1)].set_index("arm")
    difference = summary.loc["a - b"]
    assert np.isclose(difference["value"], summary.loc["a", "value"] - summary.loc["b", "value"])
    assert difference["low"] < 0.05 < difference["high"]
    assert difference["high"] - difference["low"] < 0.2 * (summary.loc["a", "high"] - summary.loc["a", "low"])


@pytest.mark.parametrize(("classes", "size"), [(2, (2, 1)), (30, (4, 8))])
def test_many_classes_are_drawn_in_rows(monkeypatch, tmp_path, classes, size):
    kept = []
    monkeypatch.setattr(figures.style, "save", lambda figure, outputs: kept.append(figure))
    names = [f"dice:{place}" for place in range(classes)]
    row = {"share": 1.0, "seed": pd.NA, "value": 0.5, "low": 0.4, "high": 0.6, "n_samples": 9}
    table = pd.DataFrame([row | {"arm": arm, "metric": name} for arm in ("a", "b") for name in names])
    figures.draw_arms(table, "lesions", [tmp_path / "arms.png"], names)
    shown = [axis for axis in kept[0].axes if axis.axison]
    assert [axis.get_xlabel() for axis in shown] == [f"Dice, {place}" for place in range(classes)]
    assert kept[0].get_figwidth() < 17 and kept[0].axes[0].get_gridspec().get_geometry()[::-1] == size
    assert [text.get_text() for text in shown[0].get_yticklabels()] == ["a", "b"]
