"""Measures against scikit-learn on plain arrays, their resamples against arrays in which samples stand repeatedly."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from contigwas.downstream.labels import metrics as measures
from contigwas.downstream.labels.kinds import Target
from contigwas.downstream.labels.summary import scored

SAMPLES = 83
ALONE = np.array([f"f{number}" for number in range(SAMPLES)])  # families


def drawn(kind):
    """True values and predictions of a kind, with ties, and a class of few."""
    rng = np.random.default_rng([3, len(kind)])
    if kind == "regression":
        truth = rng.normal(120, 15, (SAMPLES, 1))
        return Target(kind, ("sbp",)), truth, truth + rng.normal(0, 10, (SAMPLES, 1))
    if kind == "multilabel":
        truth = (rng.random((SAMPLES, 3)) < (0.5, 0.2, 0.1)).astype(float)
        return Target(kind, ("a", "b", "c")), truth, np.round((truth + rng.random((SAMPLES, 3))) / 2, 1)
    classes = {"binary": 2, "multiclass": 4, "ordinal": 5}[kind]
    truth = np.minimum(rng.geometric(0.45, (SAMPLES, 1)) - 1.0, classes - 1)
    target = Target(kind, ("y",), tuple("abcde"[:classes]))
    if kind == "binary":
        return target, truth, np.round((truth + rng.random((SAMPLES, 1))) / 2, 1)
    if kind == "ordinal":
        return target, truth, np.round(truth + rng.normal(0.3, 1.0, (SAMPLES, 1)), 1)
    found = np.eye(4)[truth[:, 0].astype(int)] + rng.random((SAMPLES, 4)) * 2
    return target, truth, found / found.sum(axis=1, keepdims=True)


def expected(target, truth, found):
    """Every measure by scikit-learn."""
    if target.kind == "regression":
        return {"r2": metrics.r2_score(truth, found), "mae": metrics.mean_absolute_error(truth, found)}
    if target.kind == "multilabel":
        result, above = {}, found > 0.5
        for name, one in {
            "auroc": lambda place: metrics.roc_auc_score(truth[:, place], found[:, place]),
            "auprc": lambda place: metrics.average_precision_score(truth[:, place], found[:, place]),
            "accuracy": lambda place: metrics.accuracy_score(truth[:, place], above[:, place]),
            "balanced_accuracy": lambda place: metrics.balanced_accuracy_score(truth[:, place], above[:, place]),
        }.items():
            each = {f"{name}:{label}": one(place) for place, label in enumerate(target.names)}
            result |= {name: np.mean([*each.values()]), **each}
        return result
    true = truth[:, 0].astype(int)
    if target.kind == "binary":
        rounded, score = found[:, 0] > 0.5, found[:, 0]
        result = {"auroc": metrics.roc_auc_score(true, score), "auprc": metrics.average_precision_score(true, score)}
    elif target.kind == "multiclass":
        rounded = found.argmax(axis=1)
        result = {
            "auroc": metrics.roc_auc_score(true, found, multi_class="ovr"),
            "auprc": metrics.average_precision_score(np.eye(4)[true], found),
            **{
                f"{name}:{label}": one(true == place, found[:, place])
                for name, one in (("auroc", metrics.roc_auc_score), ("auprc", metrics.average_precision_score))
                for place, label in enumerate(target.classes)
            },
        }
    else:
        rounded = np.array([min(max(int(np.floor(one + 0.5)), 0), 4) for one in found[:, 0]])
        each = {f"auroc:>={target.classes[k]}": metrics.roc_auc_score(true >= k, found[:, 0]) for k in range(1, 5)}
        result = {
            "kappa": metrics.cohen_kappa_score(true, rounded, weights="quadratic"),
            "auroc": np.mean([*each.values()]),
            "mae": np.abs(true - rounded).mean(),
            **each,
        }
    return result | {
        "accuracy": metrics.accuracy_score(true, rounded),
        "balanced_accuracy": metrics.balanced_accuracy_score(true, rounded),
    }


KINDS = ["binary", "multiclass", "ordinal", "multilabel", "regression"]


@pytest.mark.parametrize("kind", KINDS)
def test_measures_are_those_of_scikit_learn(kind):
    target, truth, found = drawn(kind)
    computed = {name: one(np.ones((1, SAMPLES)))[0] for name, one in measures.measures(target, truth, found).items()}
    assert computed == pytest.approx(expected(target, truth, found), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_resample_is_an_array_in_which_samples_stand_repeatedly(kind):
    target, truth, found = drawn(kind)
    counts = next(measures.resampled(ALONE, 5))[:60]
    assert (counts.sum(axis=1) == SAMPLES).all()
    computed = {name: one(counts) for name, one in measures.measures(target, truth, found).items()}
    checked = 0
    for place, count in enumerate(counts.astype(int)):
        again = np.repeat(np.arange(SAMPLES), count)
        if target.kind != "regression" and target.lacks(truth[again]):
            continue  # scikit-learn has no value there
        checked += 1
        assert {name: one[place] for name, one in computed.items()} == pytest.approx(
            expected(target, truth[again], found[again]), abs=1e-10
        )
    assert checked > 30


def test_a_class_that_a_resample_lacks_is_left_out_of_its_mean():
    target, truth, found = drawn("multiclass")
    computed = measures.measures(target, truth, found)
    counts = np.where(truth[:, 0] == 3, 0.0, 1.0)[None]
    assert np.isnan(computed["auroc:d"](counts)[0])
    rest = np.mean([computed[f"auroc:{name}"](counts)[0] for name in "abc"])
    assert computed["auroc"](counts)[0] == pytest.approx(rest)
    kept = truth[:, 0] != 3
    balanced = metrics.recall_score(
        truth[kept, 0], found[kept].argmax(axis=1), labels=[0, 1, 2], average="macro", zero_division=np.nan
    )
    assert computed["balanced_accuracy"](counts)[0] == pytest.approx(balanced)


def test_one_sample_over_and_over_has_no_kappa_and_no_r2():
    for kind, name in (("ordinal", "kappa"), ("regression", "r2"), ("binary", "auroc")):
        target, truth, found = drawn(kind)
        counts = np.zeros((1, SAMPLES))
        counts[0, 0] = SAMPLES
        if kind == "ordinal":
            found = truth.copy()
        assert np.isnan(measures.measures(target, truth, found)[name](counts)[0]), kind


def fits(arms=("a", "b"), seeds=2):
    """Two arms of which the first predicts better, over the same samples."""
    target, truth, _ = drawn("ordinal")
    rng = np.random.default_rng(9)
    found = {
        (arm, share, seed): truth + rng.normal(0, 0.5 + place + (share < 1), truth.shape)
        for place, arm in enumerate(arms)
        for share in (0.1, 1.0)
        for seed in range(seeds)
    }
    return target, truth, found


def test_the_table_is_a_bootstrap_written_out():
    target, truth, found = fits()
    table = measures.tabulate({key: measures.measures(target, truth, one) for key, one in found.items()}, ALONE, 4)
    counts = np.concatenate([*measures.resampled(ALONE, 4)]).astype(int)

    def kappa(key, count):
        again = np.repeat(np.arange(SAMPLES), count)
        return metrics.cohen_kappa_score(
            truth[again, 0].astype(int), target.rounded(found[key][again]), weights="quadratic", labels=range(5)
        )

    everyone = np.ones(SAMPLES, int)
    own = table[(table["metric"] == "kappa") & (table["share"] == 1.0)]
    for seed in (0, 1):
        row = own[(own["arm"] == "b") & (own["seed"] == seed)].iloc[0]
        assert row["value"] == pytest.approx(kappa(("b", 1.0, seed), everyone))
        assert pd.isna(row["low"])
    over = own[own["seed"].isna()].set_index("arm")
    resampled = {
        arm: np.array([np.mean([kappa((arm, 1.0, seed), count) for seed in (0, 1)]) for count in counts[:400]])
        for arm in "ab"
    }
    point = {arm: np.mean([kappa((arm, 1.0, seed), everyone) for seed in (0, 1)]) for arm in "ab"}
    assert over.loc["a", "value"] == pytest.approx(point["a"])
    assert over.loc["a - b", "value"] == pytest.approx(point["a"] - point["b"])
    assert list(over["n_samples"]) == [SAMPLES] * 3
    # the first 400 of the 2,000 resamples, one by one
    means = measures._means(
        {key: measures.measures(target, truth, one) for key, one in found.items()},
        {1.0: {"a": [0, 1], "b": [0, 1]}},
        [counts[:400].astype(float)],
    )
    for arm in "ab":
        assert means[arm, 1.0, "kappa"][0] == pytest.approx(resampled[arm], abs=1e-10)
    difference = resampled["a"] - resampled["b"]
    low, high = np.percentile(difference, [2.5, 97.5])
    assert over.loc["a - b", "low"] == pytest.approx(low, abs=0.03)
    assert over.loc["a - b", "high"] == pytest.approx(high, abs=0.03)


def test_resamples_are_drawn_in_parts_and_are_as_many_as_said(monkeypatch):
    monkeypatch.setattr(measures, "HELD", 1000)
    parts = [*measures.resampled(ALONE, 1)]
    assert sum(map(len, parts)) == measures.RESAMPLES
    assert max(map(len, parts)) <= 1000 // SAMPLES
    assert np.concatenate(parts).mean(axis=0) == pytest.approx(np.ones(SAMPLES), abs=0.12)


def test_the_interval_of_a_mean_error_is_that_of_its_standard_error():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(400, 1))
    found = truth + rng.normal(size=(400, 1))
    target = Target("regression", ("y",))
    table = measures.tabulate({("a", 1.0, 0): measures.measures(target, truth, found)}, np.arange(400), 1)
    row = table[table["seed"].isna() & (table["metric"] == "mae")].iloc[0]
    errors = np.abs(truth - found)
    half = 1.96 * errors.std() / np.sqrt(400)
    assert (row["low"], row["high"]) == pytest.approx((errors.mean() - half, errors.mean() + half), abs=0.15 * half)


@pytest.mark.parametrize("kind", KINDS)
def test_twins_make_no_interval_narrower(kind):
    """Families of two samples of one label and one prediction are as single samples, in whatever order."""
    target, truth, found = drawn(kind)

    def table(some, families):
        return measures.tabulate({("a", 1.0, 0): measures.measures(target, truth[some], found[some])}, families, 4)

    once = table(np.arange(SAMPLES), ALONE)
    twins = np.r_[np.arange(SAMPLES), np.random.default_rng(1).permutation(SAMPLES)]
    numbers = ["value", "low", "high"]
    assert table(twins, ALONE[twins])[numbers].to_numpy() == pytest.approx(once[numbers].to_numpy(), nan_ok=True)
    strangers = table(twins, np.arange(2 * SAMPLES))
    widths = [(one["high"] - one["low"]).mean() for one in (strangers, once)]
    assert widths[0] < 0.85 * widths[1]


def test_of_samples_alone_each_is_drawn_as_one_of_the_samples():
    rng = np.random.default_rng(5)
    expected = rng.multinomial(SAMPLES, np.full(SAMPLES, 1 / SAMPLES), size=measures.RESAMPLES)
    assert (np.concatenate([*measures.resampled(ALONE, 5)]) == expected).all()


def test_scores_resample_the_families_of_the_labels():
    target, truth, found = drawn("ordinal")
    labels = pd.DataFrame({"iid": ALONE, "family": np.arange(SAMPLES) // 10, "y0": truth[:, 0]}).iloc[::-1]
    rows = pd.DataFrame({"iid": ALONE, "arm": "a", "share": 1.0, "seed": 0, "p0": found[:, 0]})
    order = np.argsort(ALONE)
    fit = {("a", 1.0, 0): measures.measures(target, truth[order], found[order])}
    expected = measures.tabulate(fit, (np.arange(SAMPLES) // 10)[order], 4)
    pd.testing.assert_frame_equal(scored(target, labels, rows, 4)[0], expected)
