"""Probes and neighbours against scikit-learn and closed forms, and the loss of fine-tuning against its formula."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier

from contigwas.downstream.labels import heads
from contigwas.downstream.labels.finetune import loss
from contigwas.downstream.labels.kinds import Target

pytestmark = pytest.mark.slow

GRADE = Target("ordinal", ("grade",), ("0", "1", "2", "3"))
CLASSES = Target("multiclass", ("kind",), ("a", "b", "c"))
PAIR = Target("binary", ("ill",), ("0", "1"))
LABELS = Target("multilabel", ("a", "b"))
ALONE = np.arange(90)  # families


@pytest.fixture
def data():
    """Features of 90 training and 40 tested samples, the third constant in the training samples, and a direction."""
    rng = np.random.default_rng(2)
    train, test = rng.normal(3, 4, (90, 6)), rng.normal(3, 4, (40, 6))
    train[:, 2] = 1.5
    return train, test, (train[:, 0] + rng.normal(0, 2, 90)) / 4


def scaled(train, test):
    mean, sd = train.mean(axis=0), train.std(axis=0)
    use = sd > 0
    return (train[:, use] - mean[use]) / sd[use], (test[:, use] - mean[use]) / sd[use]


@pytest.mark.parametrize("families", [ALONE, ALONE // 3, np.r_[ALONE[:80], [7] * 10]])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_is_its_closed_form_with_the_penalty_of_least_error_when_a_family_is_left_out(data, families, weighted):
    train, test, line = data
    values = np.clip(np.round(line + 1.5), 0, 3)[:, None]
    weights = GRADE.weights(values) if weighted else np.ones_like(values)
    found = heads.probe(train, values, test, GRADE, weights, families, 1)
    x, t = scaled(train, test)
    y, w = values[:, 0], weights[:, 0]

    def fit(some, alpha, asked):
        centre, mean = w[some] @ x[some] / w[some].sum(), w[some] @ y[some] / w[some].sum()
        a = x[some] - centre
        beta = np.linalg.solve(
            a.T @ (w[some, None] * a) + alpha * np.eye(x.shape[1]), a.T @ (w[some] * (y[some] - mean))
        )
        return mean + (asked - centre) @ beta

    errors = []
    for alpha in heads.RIDGE:
        apart = [families == one for one in np.unique(families)]
        errors.append(sum((w[out] * (y[out] - fit(~out, alpha, x[out])) ** 2).sum() for out in apart))
    best = int(np.argmin(errors))
    assert 0 < best < len(heads.RIDGE) - 1, "neither end, or nothing is chosen"
    assert found[:, 0] == pytest.approx(fit(np.full(90, True), heads.RIDGE[best], t), abs=1e-6)


@pytest.mark.parametrize("families", [ALONE, ALONE // 3])
@pytest.mark.parametrize("target", [PAIR, CLASSES])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_takes_the_penalty_of_the_least_log_loss_in_the_folds(data, target, families, weighted):
    train, test, line = data
    first = 0.3
    if weighted:  # a rare class, of which the loss without weights would take another penalty in most of these
        first, line = 0.15, line + np.random.default_rng(9).normal(0, 1, 90)
    codes = np.digitize(line, np.quantile(line, [first] if target is PAIR else [first, 0.7]))
    values = codes[:, None].astype(float)
    weights = target.weights(values) if weighted else np.ones((90, 1))
    found = heads.probe(train, values, test, target, weights, families, 7)
    w = weights[:, 0]
    x, t = scaled(train, test)
    folds = [*StratifiedGroupKFold(5, shuffle=True, random_state=7).split(x, codes, families)]
    losses = []
    for c in heads.PENALTIES:
        said = np.zeros((90, codes.max() + 1))
        for into, out in folds:
            assert not {*families[into]} & {*families[out]}
            said[out] = LogisticRegression(C=c, max_iter=2000).fit(x[into], codes[into], w[into]).predict_proba(x[out])
        losses.append(log_loss(codes, said, sample_weight=w))
    model = LogisticRegression(C=heads.PENALTIES[int(np.argmin(losses))], max_iter=2000).fit(x, codes, w)
    expected = model.predict_proba(t)
    assert found == pytest.approx(expected[:, 1:] if target is PAIR else expected, abs=2e-3)


@pytest.mark.parametrize("target", [PAIR, GRADE])
def test_relatives_do_not_leak_into_the_choice_of_the_penalty(target):
    """Twins have one label and similar features: if they are in different folds, a small penalty seems best."""
    rng = np.random.default_rng(3)
    values = np.repeat(rng.integers(0, 2, 45), 2)[:, None].astype(float)
    features = np.repeat(rng.normal(size=(45, 60)), 2, axis=0) + rng.normal(0, 0.05, (90, 60))
    asked = rng.normal(size=(200, 60))
    apart = heads.probe(features, values, asked, target, np.ones((90, 1)), ALONE // 2, 1)
    beside = heads.probe(features, values, asked, target, np.ones((90, 1)), ALONE, 1)
    assert 4 * apart.std() < beside.std(), "there is nothing to learn"


def test_a_class_of_one_family_leaves_nothing_to_choose_a_penalty_by(data):
    train, test, _ = data
    values = np.array([1.0] * 3 + [0.0] * 87)[:, None]
    x, t = scaled(train, test)
    expected = LogisticRegression(max_iter=2000).fit(x, values[:, 0]).predict_proba(t)[:, 1]
    found = heads.probe(train, values, test, PAIR, np.ones((90, 1)), ALONE // 3, 1)
    assert found[:, 0] == pytest.approx(expected, abs=1e-3)
    one = heads.probe(train, values, test, GRADE, np.ones((90, 1)), 0 * ALONE, 1)
    assert np.isfinite(one).all(), "of one family neither"


def test_the_penalty_is_chosen_without_the_tested(data):
    """What is tested changes nothing of what is said of another sample."""
    train, test, line = data
    values = (line > 0)[:, None].astype(float)
    together = heads.probe(train, values, test, PAIR, np.ones((90, 1)), ALONE, 1)
    alone = heads.probe(train, values, test[:1], PAIR, np.ones((90, 1)), ALONE, 1)
    assert together[0] == pytest.approx(alone[0])


def test_several_labels_are_fitted_one_by_one(data):
    train, test, line = data
    values = np.stack([line > 0, line > 0.8], axis=1).astype(float)
    found = heads.probe(train, values, test, LABELS, np.ones((90, 2)), ALONE, 1)
    for place in range(2):
        one = heads.probe(train, values[:, [place]], test, PAIR, np.ones((90, 1)), ALONE, 1)
        assert found[:, [place]] == pytest.approx(one)


def test_weights_make_the_rarer_class_likelier(data):
    train, test, line = data
    values = (line > np.quantile(line, 0.9))[:, None].astype(float)
    plain = heads.probe(train, values, test, PAIR, np.ones((90, 1)), ALONE, 1)
    weights = PAIR.weights(values)
    assert weights[values == 1].sum() == pytest.approx(weights[values == 0].sum()) == pytest.approx(45)
    assert heads.probe(train, values, test, PAIR, weights, ALONE, 1).mean() > 1.5 * plain.mean()


def test_neighbours_are_those_of_scikit_learn(data):
    train, test, line = data
    codes = np.digitize(line, np.quantile(line, [0.3, 0.7]))
    found = heads.neighbours(train, codes[:, None].astype(float), test, CLASSES, 7)
    x, t = scaled(train, test)
    expected = KNeighborsClassifier(7, metric="cosine").fit(x, codes).predict_proba(t)
    assert found == pytest.approx(expected)
    grades = heads.neighbours(train, codes[:, None].astype(float), test, GRADE, 7)
    assert grades[:, 0] == pytest.approx(expected @ np.arange(3))


@pytest.mark.parametrize(("samples", "near"), [(4, 2), (9, 4), (41, 20), (1, 1)])
def test_of_few_samples_half_are_neighbours(data, samples, near):
    """The mean of all samples would be constant."""
    train, test, line = data
    train, values = train[:samples], line[:samples]
    found = heads.neighbours(train, values[:, None], test, Target("regression", ("x",)), 20)
    x, t = scaled(train, test) if samples > 1 else (train, test)
    length = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (x, t)]
    order = np.argsort(-length[1] @ length[0].T, axis=1)[:, :near]
    assert found[:, 0] == pytest.approx(values[order].mean(axis=1))
    assert samples == 1 or found.std() > 0


def test_samples_that_tie_for_the_last_places_share_them():
    """Features of few values, as of duplicated images: the mean over all orders of tied samples."""
    rng = np.random.default_rng(4)
    train = rng.integers(0, 2, (30, 3)).astype(float)
    values, test = rng.normal(size=(30, 1)), rng.integers(0, 2, (12, 3)).astype(float)
    target = Target("regression", ("x",))
    found = heads.neighbours(train, values, test, target, 7)
    x, t = scaled(train, test)
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (x, t)]
    for place, near in enumerate((1 - unit[1] @ unit[0].T).round(9)):
        last = np.sort(near)[6]
        nearer, tied = values[near < last, 0], values[near == last, 0]
        assert len(nearer) + len(tied) >= 7
        assert found[place, 0] == pytest.approx((nearer.sum() + (7 - len(nearer)) * tied.mean()) / 7)
    order = rng.permutation(30)
    assert heads.neighbours(train[order], values[order], test, target, 7) == pytest.approx(found)


@pytest.mark.parametrize("constant", [0, 2])
def test_of_one_feature_the_nearest_are_neighbours_not_those_of_its_sign(constant):
    train, test = np.arange(41.0)[:, None], np.array([[3.0], [12.0], [36.0]])
    train, test = (np.hstack([one, np.full((len(one), constant), 1.5)]) for one in (train, test))
    found = heads.neighbours(train, train[:, [0]] ** 2, test, Target("regression", ("x",)), 5)
    expected = [np.mean([(place + step) ** 2 for step in range(-2, 3)]) for place in (3, 12, 36)]
    assert found[:, 0] == pytest.approx(expected)


def test_neighbours_do_not_depend_on_how_many_are_asked_at_once(data, monkeypatch):
    train, test, line = data
    found = heads.neighbours(train, line[:, None], test, Target("regression", ("x",)), 7)
    monkeypatch.setattr(heads, "MAX_VALUES", 250)
    assert heads.neighbours(train, line[:, None], test, Target("regression", ("x",)), 7) == pytest.approx(found)


def test_the_losses_are_their_formulas():
    torch.manual_seed(1)
    logits, weights = torch.randn(9, 3), torch.rand(9, 1)
    classes = torch.randint(3, (9, 1)).float()
    chance = logits.softmax(1)[torch.arange(9), classes[:, 0].long()]
    assert loss(logits, classes, weights, CLASSES) == pytest.approx(float((-weights[:, 0] * chance.log()).mean()))
    labels, each = (torch.rand(9, 2) < 0.5).float(), torch.rand(9, 2)
    chance = logits[:, :2].sigmoid()
    expected = -each * (labels * chance.log() + (1 - labels) * (1 - chance).log())
    assert loss(logits[:, :2], labels, each, LABELS) == pytest.approx(float(expected.mean()), rel=1e-5)
    values = torch.randn(9, 1)
    expected = (weights * (logits[:, :1] - values) ** 2).mean()
    assert loss(logits[:, :1], values, weights, GRADE) == pytest.approx(float(expected))


def test_grades_are_rounded_to_the_nearest_and_kept_among_them():
    assert GRADE.rounded(np.array([[-2.0], [0.49], [0.5], [1.5], [9.0]])).tolist() == [0, 0, 1, 2, 3]
    assert PAIR.rounded(np.array([[0.5], [0.51]])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("target", "values", "why"),
    [
        (GRADE, [[0], [1], [3]], "only 3 of the 4 classes are present"),
        (GRADE, [[0], [1], [3], [2]], ""),
        (PAIR, [[1], [1]], "only 1 of the 2 classes are present"),
        (LABELS, [[0, 1], [1, 1]], "1 of the 2 labels are constant"),
        (Target("regression", ("x",)), [[2.0], [2.0]], "all measurements are equal"),
        (Target("regression", ("x",)), [[2.0], [2.5]], ""),
    ],
)
def test_missing_values_of_a_target(target, values, why):
    assert target.missing_values(np.array(values, float)) == why
    if target is not GRADE:
        assert target.why_not_learnable(np.array(values, float)) == why


def test_grades_are_learned_from_two_of_them():
    assert GRADE.why_not_learnable(np.array([[0.0], [3.0], [3.0]])) == ""
    assert GRADE.why_not_learnable(np.array([[3.0], [3.0]])) == "all grades are equal"
    values, features = np.array([[0.0], [3.0]]), np.eye(2)
    found = heads.probe(features, values, features, GRADE, np.ones((2, 1)), ALONE[:2], 1)
    assert found[0] < found[1]
