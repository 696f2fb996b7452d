"""Summarise all seeds of a classification or regression: a tidy table, a JSON file, a figure, and predictions."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.downstream.figures import DIFFERENCE, draw_arms
from contigwas.downstream.labels.disclosure import count_tested, reportable_scores
from contigwas.downstream.labels.kinds import BINARY, MULTICLASS, MULTILABEL, ORDINAL, REGRESSION, Target, read_target
from contigwas.downstream.labels.metrics import measures, tabulate
from contigwas.privacy.small_counts import suppress_small_counts
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet, write_tsv
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)
MAIN_METRICS = {
    BINARY: ("auroc", "auprc"),
    MULTICLASS: ("auroc", "balanced_accuracy"),
    ORDINAL: ("kappa", "auroc"),
    MULTILABEL: ("auroc", "auprc"),
    REGRESSION: ("r2", "mae"),
}  # shown in the figure; the first is logged
DEFINITIONS = {
    "value": "metric of all test predictions of a seed, over all splits together; without a seed, the mean over seeds",
    "interval": "95 % percentile bootstrap over families: in each resample the metric of every seed is computed and "
    "averaged; for a - b, the difference in each resample",
    "kappa": "Cohen's kappa with quadratic weights, of predictions rounded to the nearest grade",
    "auroc": "area under the ROC curve, ties count half; with several classes (one against the rest), labels or "
    "thresholds of a grade (>=: this grade or higher), their mean",
    "auprc": "average precision; with several classes or labels, their mean",
    "accuracy": "share of samples with a correct prediction (labels and two classes: probability above 0.5)",
    "balanced_accuracy": "mean over the classes of the share of samples with a correct prediction",
    "mae": "mean absolute error; for grades, of predictions rounded to the nearest grade",
    "r2": "1 - sum of squared errors / sum of squares about the mean of the tested samples",
}


def summarise(
    model: str,
    task: str,
    labels: PathLike,
    target: PathLike,
    predicted: Sequence[PathLike],
    skipped: Sequence[PathLike],
    settings: Mapping[str, object],
    output_json: PathLike,
    output_tsv: PathLike,
    output_samples: PathLike,
    output_figures: Sequence[PathLike],
) -> None:
    """Write the results of all seeds. `predicted` and `skipped` are the outputs of `predict`, one per seed, in order.

    `output_samples` has predictions and observed values of each sample and is in a private folder; the other outputs
    name no sample. Raises UserError if no share of the labels could be learned in any seed.
    """
    kind, counts = read_target(target)
    rows = pd.concat(
        [pd.read_parquet(path).assign(seed=number) for number, path in enumerate(predicted)], ignore_index=True
    )
    left_out = pd.concat(
        [pd.read_csv(path, sep="\t").assign(seed=number) for number, path in enumerate(skipped)], ignore_index=True
    )
    if rows.empty:
        raise UserError(
            f"config: downstream.{task}: no share of the labels can be learned ({left_out['reason'].iloc[0]} in the "
            "first split of the first seed). Raise shares, or merge classes."
        )
    table, values, samples = score_predictions(kind, pd.read_parquet(labels), rows, int(settings["seed"]))
    table = reportable_scores(table, kind, count_tested(kind, values))
    private_folder(Path(output_samples).parent)
    names = {f"y{number}": name for number, name in enumerate(kind.names)}
    observed = pd.DataFrame(values, index=samples, columns=[f"y{number}" for number in range(len(names))])
    write_parquet(rows.merge(observed.reset_index(names="iid"), on="iid"), output_samples)
    main = [metric for metric in MAIN_METRICS[kind.kind] if metric in set(table["metric"])]
    draw_arms(table, f"{task}, features of {model}", output_figures, main)
    write_tsv(table, output_tsv)
    with replacing(output_json) as temporary:
        content = describe(model, task, kind, counts, values, rows, left_out, table, settings)
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    logged = table[table["seed"].isna() & (table["metric"] == main[0])]
    for one in logged[~logged["arm"].str.contains(DIFFERENCE, regex=False)].itertuples():
        log.info("%s with share %g of the labels: %s %.3f (%.3f to %.3f)", one.arm, one.share, *one[4:5], *one[5:8])


def score_predictions(
    kind: Target, labels: pd.DataFrame, rows: pd.DataFrame, seed: int
) -> tuple[pd.DataFrame, np.ndarray, pd.Index]:
    """Return the tidy table of scores, the observed values (samples, columns) of the tested samples, and their IIDs."""
    samples = pd.Index(rows["iid"].unique()).sort_values()
    labels = labels.set_index("iid").loc[samples]
    values = labels[[f"y{number}" for number in range(len(kind.names))]].to_numpy(float)
    fits = {}
    for (arm, share, number), part in rows.groupby(["arm", "share", "seed"], sort=False):
        predicted = part.set_index("iid").loc[samples, [f"p{place}" for place in range(kind.width)]].to_numpy(float)
        fits[arm, float(share), int(number)] = measures(kind, values, predicted)
    return tabulate(fits, labels["family"].to_numpy(), seed), values, samples


def describe(
    model: str,
    task: str,
    kind: Target,
    counts: Mapping[str, object],
    values: np.ndarray,
    rows: pd.DataFrame,
    skipped: pd.DataFrame,
    table: pd.DataFrame,
    settings: Mapping[str, object],
) -> dict[str, object]:
    """Return the content of the JSON file, which names no sample."""
    first = rows[(rows["seed"] == rows["seed"].min()) & (rows["arm"] == rows["arm"].iloc[0])]
    one = first[first["share"] == first["share"].max()]
    spread = table[table["seed"].notna()].groupby(["arm", "share", "metric"], sort=False)["value"].std(ddof=1)
    metrics = {metric.partition(":")[0] for metric in table["metric"]}
    few = skipped.groupby(["share", "seed"], sort=False)
    return {
        "task": task,
        "kind": kind.kind,
        "model": model,
        "settings": dict(settings),
        "definitions": {name: text for name, text in DEFINITIONS.items() if name in {"value", "interval", *metrics}},
        "columns": list(kind.names),
        "tested": count_tested(kind, values),
        "n_samples": len(values),
        "left_out": dict(counts),
        "seeds": int(rows["seed"].nunique()),
        "splits": [
            {
                "network": int(part["network"].iloc[0]),
                "train": {
                    f"{share:g}": int(own["train"].iloc[0])
                    for share, own in first[first["split"] == number].groupby("share")
                },
                "test": len(part),
                "test_samples_whose_images_the_pretraining_saw": None
                if pd.isna(part["seen"].iloc[0])
                else suppress_small_counts([int(part["seen"].iloc[0]), len(part) - int(part["seen"].iloc[0])])[0],
            }
            for number, part in one.groupby("split")
        ],
        "skipped": [
            {"share": float(share), "seed": int(number), "splits": len(part), "reason": str(part["reason"].iloc[0])}
            for (share, number), part in few
        ],
        "sd_over_seeds": [
            {"arm": arm, "share": share, "metric": metric, "sd": None if pd.isna(sd) else float(sd)}
            for (arm, share, metric), sd in spread.items()
        ],
        "scores": json.loads(table.to_json(orient="records")),
    }
