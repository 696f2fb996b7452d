"""That no class of few samples can be counted from the scores of a task, nor is a score of these few reported."""

import json

import numpy as np
import pandas as pd
import pytest

from contigwas.downstream.labels.disclosure import counted, told_scores
from contigwas.downstream.labels.kinds import Target
from contigwas.downstream.labels.summary import described, scored

SAMPLES = 200
STEP = 10 / SAMPLES
PAIR = Target("binary", ("ill",), ("no", "yes"))
CLASSES = Target("multiclass", ("kind",), ("a", "b", "c"))
GRADES = Target("ordinal", ("grade",), ("0", "1", "2", "3"))
LABELS = Target("multilabel", ("a", "b", "c"))
OF_LABELS = ("auroc", "auprc", "accuracy", "balanced_accuracy")


def values_of(kind, sizes):
    """Float (samples, columns) with so many samples in each class, or with each label."""
    if kind is LABELS:
        return np.stack([np.arange(SAMPLES) < size for size in sizes], axis=1).astype(float)
    return np.repeat(np.arange(len(sizes), dtype=float), sizes)[:, None]


def scores(kind, values):
    """What `scored` says of predictions that are half right, of two seeds and two arms."""
    rng = np.random.default_rng(4)
    names = [f"S{place:03d}" for place in range(SAMPLES)]
    labels = pd.DataFrame({"iid": names, "family": names, **{f"y{place}": one for place, one in enumerate(values.T)}})
    truth = np.eye(len(kind.classes))[values[:, 0].astype(int)] if kind is CLASSES else values
    rows = [
        pd.DataFrame({"iid": names, "arm": arm, "share": 1.0, "seed": seed, "split": 0, "network": 0, "train": 40})
        .assign(seen=pd.array([196] * SAMPLES, dtype="Int64"))
        .assign(**{f"p{place}": one for place, one in enumerate((truth + rng.normal(0, 0.7, truth.shape)).T)})
        for arm in ("probe", "knn")
        for seed in range(2)
    ]
    rows = pd.concat(rows, ignore_index=True)
    return scored(kind, labels, rows, 1)[0], rows


@pytest.mark.parametrize(
    ("kind", "sizes", "absent"),
    [
        (PAIR, (197, 3), []),
        (CLASSES, (120, 77, 3), ["auroc:c", "auprc:c"]),
        (GRADES, (100, 60, 37, 3), ["auroc:>=3"]),
        (GRADES, (98, 98, 2, 2), ["auroc:>=2", "auroc:>=3"]),
        (GRADES, (2, 98, 3, 97), ["auroc:>=1"]),
        (
            LABELS,
            (100, 3, 198),
            [f"{one}:{name}" for one in OF_LABELS for name in "bc"],
        ),
    ],
)
def test_beside_hidden_counts_scores_are_coarse_and_those_of_few_absent(kind, sizes, absent):
    values = values_of(kind, sizes)
    table, _ = scores(kind, values)
    found = told_scores(table, kind, counted(kind, values))
    assert set(table["metric"]) - set(found["metric"]) == set(absent)
    numbers = found[["value", "low", "high"]].to_numpy()
    step = np.where(found["metric"] == "mae", STEP * (len(kind.classes) - 1), STEP)[:, None]
    assert np.nanmax(np.abs(numbers / step - np.round(numbers / step))) < 1e-9
    before = table[table["metric"].isin(found["metric"])][["value", "low", "high"]].to_numpy()
    assert np.nanmax(np.abs(numbers - before) / step) <= 0.5 + 1e-9
    assert np.array_equal(np.isnan(numbers), np.isnan(before))


def test_scores_of_many_samples_are_as_they_are():
    values = values_of(GRADES, (100, 50, 45, 5))
    table, _ = scores(GRADES, values)
    pd.testing.assert_frame_equal(told_scores(table, GRADES, counted(GRADES, values)), table)


def test_the_rare_cases_can_no_longer_be_counted():
    """Share of right predictions of 200 samples, for 1 to 4 cases that are all missed: the same score."""
    said = []
    for cases in range(1, 5):
        values = values_of(PAIR, (SAMPLES - cases, cases))
        row = {"arm": "probe", "share": 1.0, "seed": pd.NA, "metric": "accuracy", "value": 1 - cases / SAMPLES}
        table = pd.DataFrame([row | {"low": np.nan, "high": np.nan, "n_samples": SAMPLES}])
        said.append(told_scores(table, PAIR, counted(PAIR, values))["value"].item())
    assert set(said) == {1.0}


def test_the_json_is_as_coarse_and_hides_whose_images_few_were_not_seen():
    values = values_of(PAIR, (197, 3))
    table, rows = scores(PAIR, values)
    table = told_scores(table, PAIR, counted(PAIR, values))
    none = pd.DataFrame(columns=["share", "split", "n_samples", "reason", "seed"])
    said = described("m", "t", PAIR, {}, values, rows, none, table, {})
    assert said["splits"][0]["test_samples_whose_images_the_pretraining_saw"] == ">=190"
    assert said["tested"] == {"no": ">=190", "yes": "<5"}
    steps = np.array([one["sd"] for one in said["sd_over_seeds"]]) * np.sqrt(2) / STEP  # of two seeds
    assert steps == pytest.approx(np.round(steps))
    assert json.loads(json.dumps(said))["scores"] == json.loads(table.to_json(orient="records"))
