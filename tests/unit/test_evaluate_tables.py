"""Tables of the evaluation that collect what other stages wrote, and its figure."""

import numpy as np
import pandas as pd
import pytest

from contigwas.evaluate.cost import write_cost
from contigwas.evaluate.figure import _metrics, draw
from contigwas.evaluate.tables import downstream, retrieval

HISTORY = {
    "epoch": [1, 2],
    "image_to_snps@1": [0.1, 0.2],
    "snps_to_image@1": [0.3, 0.4],
    "chance_snps@1": [0.05, 0.05],
    "view_to_other@5": [0.5, 0.7],
    "chance_views@5": [0.1, 0.1],
    "alignment_snps": [1.0, 1.0],
}


def test_retrieval_is_that_of_the_last_epoch_averaged_over_folds(tmp_path):
    other = pd.DataFrame(HISTORY).assign(**{"image_to_snps@1": [0.9, 0.6], "chance_snps@1": 0.07})
    pd.DataFrame(HISTORY).to_csv(tmp_path / "0.csv", index=False)
    other.to_csv(tmp_path / "1.csv", index=False)
    got = retrieval("m", [tmp_path / "0.csv", tmp_path / "1.csv"]).set_index(["way", "k"])
    assert got.loc[("image_to_snps", 1), "recall"] == pytest.approx((0.2 + 0.6) / 2)
    assert got.loc[("image_to_snps", 1), "chance"] == pytest.approx(0.06)
    assert got.loc[("snps_to_image", 1), "chance"] == pytest.approx(0.06)
    assert got.loc[("view_to_other", 5), ["recall", "chance"]].tolist() == pytest.approx([0.7, 0.1])
    assert (got["folds"] == 2).all() and (got["epoch"] == 2).all() and len(got) == 3


def test_chance_is_that_of_the_folds_that_have_the_recall(tmp_path):
    """The first fold has too few validation samples for a recall."""
    pd.DataFrame({"epoch": [1], "image_to_snps@1": [np.nan]}).to_csv(tmp_path / "0.csv", index=False)
    pd.DataFrame(HISTORY).to_csv(tmp_path / "1.csv", index=False)
    pd.DataFrame(HISTORY).assign(**{"chance_snps@1": 0.07}).to_csv(tmp_path / "2.csv", index=False)
    got = retrieval("m", [tmp_path / f"{fold}.csv" for fold in range(3)]).set_index(["way", "k"])
    assert got.loc[("image_to_snps", 1), ["folds", "chance"]].tolist() == pytest.approx([2, 0.06])
    assert got.loc[("view_to_other", 5), "chance"] == pytest.approx(0.1)


def test_a_model_that_is_not_trained_has_no_retrieval(tmp_path):
    pd.DataFrame(columns=["epoch", "train_loss"]).to_csv(tmp_path / "0.csv", index=False)
    assert not len(retrieval("untrained", [tmp_path / "0.csv"]))
    assert not len(retrieval("external", []))


def test_scores_over_the_seeds_are_collected_with_their_intervals(tmp_path):
    columns = {"arm": ["probe"] * 3, "share": 1.0, "seed": [0, 1, None], "metric": "auroc", "value": [0.6, 0.8, 0.7]}
    table = pd.DataFrame(columns | {"low": [None, None, 0.65], "high": [None, None, 0.75], "n_samples": 90})
    table.to_csv(tmp_path / "a.tsv", sep="\t", index=False, na_rep="NA")
    got = downstream([("m", "smoking", "classification"), ("n", "smoking", "classification")], [tmp_path / "a.tsv"] * 2)
    assert got["model"].tolist() == ["m", "n"]
    assert got[["value", "low", "high"]].iloc[0].tolist() == [0.7, 0.65, 0.75]
    assert list(downstream([], []).columns) == list(got.columns)


def test_cost_is_summed_over_the_folds_that_are_measured(tmp_path):
    for fold, (seconds, peak) in enumerate(((1800, 400.0), (5400, 900.0))):
        text = f"s\th:m:s\tmax_rss\n{seconds}\t0:30:00\t{peak}\n"
        (tmp_path / f"{fold}.tsv").write_text(text)
    paths = [tmp_path / f"{fold}.tsv" for fold in range(3)]
    (tmp_path / "dash.tsv").write_text("s\th:m:s\tmax_rss\n2.0\t0:00:02\t-\n")
    write_cost({"m": paths, "gone": paths[2:], "quick": [tmp_path / "dash.tsv"]}, tmp_path / "cost.tsv")
    got = pd.read_csv(tmp_path / "cost.tsv", sep="\t").set_index("model")
    assert got.loc["m"].tolist() == [3, 2, 7200, 2, 900]
    assert got.loc["gone", ["folds", "measured"]].tolist() == [1, 0] and np.isnan(got.loc["gone", "seconds"])
    assert np.isnan(got.loc["quick", "peak_mb"])


def made_up(count: int, whole: bool) -> dict[str, pd.DataFrame]:
    """Tables of `count` models; `whole` with a truth, probes, retrieval, attributions and downstream tasks."""
    rng, names = np.random.default_rng(count), [f"model{number}_with_quite_a_long_name" for number in range(count)]
    models = pd.DataFrame({"model": names, "n_samples": 30_000, "features": 5, "lambda": 1.1, "lambda_low": 1.0})
    models = models.assign(lambda_high=1.2, loci=range(count), shared_loci=0, private_loci=range(count))
    models = models.assign(common_sample_loci=pd.NA, h2_leads=[np.nan, *rng.random(count - 1)])
    empty = pd.DataFrame({"model": [], "task": [], "arm": [], "metric": [], "share": [], "latent": [], "r2": []})
    tables = {"models": models} | dict.fromkeys(("probes", "retrieval", "attributions", "downstream"), empty)
    if whole:
        one = pd.DataFrame({"model": names, "r2": 0.4, "value": 0.5, "low": 0.4, "high": 0.6, "share": 1.0})
        tables["models"] = models.assign(planted=12, planted_found=3, false_loci=1)
        tables["probes"] = pd.concat([one.assign(latent=name) for name in ("disc", "cup")])
        tables["retrieval"] = one.assign(way="image_to_snps", k=10, recall=0.3, chance=0.1)
        tables["attributions"] = one.assign(method="deeplift", modality="snps", average_precision=0.5)
        parts = [one.assign(task=task, arm=arm, metric="kappa") for task in "abcdef" for arm in ("probe", "a - b")]
        tables["downstream"] = pd.concat(parts)
    return tables


def test_a_model_that_is_not_tested_at_common_samples_has_no_bar(tmp_path):
    tables = made_up(3, False)
    na = pd.Series([2, pd.NA, 0], dtype=object)
    tables["models"] = tables["models"].assign(
        common_sample_loci=na, shared_loci=pd.Series([1, pd.NA, 0], dtype=object)
    )
    tables["models"]["private_loci"] = pd.Series([1, pd.NA, 0], dtype=object)
    axis = draw(tables, [tmp_path / "models.png"]).axes[0]
    assert axis.get_title(loc="left") == "Loci at common samples"
    assert [one.get_text() for one in axis.texts] == ["2 (own samples 0)", "NA (own samples 1)", "0 (own samples 2)"]


@pytest.mark.parametrize(("count", "whole"), [(1, False), (1, True), (10, True)])
def test_the_figure_has_a_panel_for_what_there_is_and_a_row_for_every_model(count, whole, tmp_path):
    figure = draw(made_up(count, whole), [tmp_path / "models.png", tmp_path / "models.pdf"])
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    expected = ["Loci", "λ of the loci's test", "Variance of a feature by leads, %"]
    if whole:
        expected[1:1] = ["Truth: 12 planted"]
        expected += ["True traits from the features, R²", "Partner among 10 nearest"]
        expected += ["Attributed snps: average precision", *(f"{task}: kappa" for task in "abcdef")]
    assert titles == expected
    assert all(len(axis.get_yticks()) == count for axis in figure.axes)
    boxes = [axis.get_tightbbox() for axis in figure.axes]
    assert not [1 for i, one in enumerate(boxes) for two in boxes[:i] if one.overlaps(two)], "panels do not overlap"
    legends = [text.get_text() for axis in figure.axes if axis.get_legend() for text in axis.get_legend().get_texts()]
    assert "a - b" not in legends, "differences are no arms"


def test_one_metric_of_a_task_is_drawn_or_that_of_its_first_labels():
    assert _metrics(["accuracy", "auroc", "auroc:grade", "kappa"]) == ["kappa"]
    assert _metrics(["mae:age", "r2:age", "r2:bmi", *(f"r2:{i}" for i in range(9))]) == [
        "r2:age",
        "r2:bmi",
        "r2:0",
        "r2:1",
    ]
    assert _metrics(["iou", "other"]) == ["iou"] and _metrics([]) == []


def test_attributed_snps_are_drawn_where_any_model_has_them_else_the_first_modality(tmp_path):
    tables = made_up(3, True)
    snps = tables["attributions"].assign(average_precision=[0.2, 0.3, 0.4])
    burden = snps.head(1).assign(modality="burden", average_precision=0.9)
    for table, modality, drawn in (
        (pd.concat([burden, snps.tail(2)]), "snps", {0.3, 0.4}),
        (burden, "burden", {0.9}),
    ):
        figure = draw(tables | {"attributions": table}, [tmp_path / "models.png"])
        title = f"Attributed {modality}: average precision"
        axis = next(one for one in figure.axes if one.get_title(loc="left") == title)
        marks = next(line for line in axis.lines if line.get_marker() == "o").get_xdata()
        assert {value for value in marks if np.isfinite(value)} == drawn
