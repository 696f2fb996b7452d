"""All seeds of a task together: one tidy table, everything else in JSON, a figure, and private predictions."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.downstream.figures import DIFFERENCE, draw_arms
from contigwas.downstream.labels.disclosure import counted, told_scores
from contigwas.downstream.labels.kinds import BINARY, MULTICLASS, MULTILABEL, ORDINAL, REGRESSION, Target, read_target
from contigwas.downstream.labels.metrics import measures, tabulate
from contigwas.privacy.small_counts import reported
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet, write_tsv
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)
MAIN = {
    BINARY: ("auroc", "auprc"),
    MULTICLASS: ("auroc", "balanced_accuracy"),
    ORDINAL: ("kappa", "auroc"),
    MULTILABEL: ("auroc", "auprc"),
    REGRESSION: ("r2", "mae"),
}  # what the figure shows, the first in the log
SAID = {
    "value": "of all test predictions of a seed together, over every split; without a seed the mean over seeds",
    "interval": "95 % percentile bootstrap: families are resampled, the measure of each seed computed anew and "
    "averaged; of a - b the difference in each resample",
    "kappa": "Cohen's with quadratic weights, of the nearest grade",
    "auroc": "area under the ROC curve, ties count half; of several classes (one against the others), labels or "
    "thresholds of a grade (>=: that one or higher) the mean",
    "auprc": "average precision; of several classes or labels the mean",
    "accuracy": "share of the samples whose class is predicted (of labels and two classes: a probability above 0.5)",
    "balanced_accuracy": "mean over the classes of that share",
    "mae": "mean absolute error, of grades that of the nearest one",
    "r2": "1 - squares about the prediction / squares about the mean of the tested samples",
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
    """Write what the seeds say: `predicted` and `skipped` are the outputs of `predict`, one a seed, in order.

    All but `output_samples` (predictions and true values by sample, for a private folder) show nobody. Raises UserError
    where no share of the labels sufficed in any seed.
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
            f"config: downstream.{task}: no share of the labels can be learned from ({left_out['reason'].iloc[0]} in "
            "the first split of the first seed): raise shares, or merge classes"
        )
    table, values, samples = scored(kind, pd.read_parquet(labels), rows, int(settings["seed"]))
    table = told_scores(table, kind, counted(kind, values))
    private_folder(Path(output_samples).parent)
    names = {f"y{number}": name for number, name in enumerate(kind.names)}
    truth = pd.DataFrame(values, index=samples, columns=[f"y{number}" for number in range(len(names))])
    write_parquet(rows.merge(truth.reset_index(names="iid"), on="iid"), output_samples)
    drawn = [metric for metric in MAIN[kind.kind] if metric in set(table["metric"])]
    draw_arms(table, f"{task}, features of {model}", output_figures, drawn)
    write_tsv(table, output_tsv)
    with replacing(output_json) as temporary:
        said = described(model, task, kind, counts, values, rows, left_out, table, settings)
        temporary.write_text(json.dumps(said, indent=1) + "\n")
    best = table[table["seed"].isna() & (table["metric"] == drawn[0])]
    for one in best[~best["arm"].str.contains(DIFFERENCE, regex=False)].itertuples():
        log.info("%s at %g of the labels: %s %.3f (%.3f to %.3f)", one.arm, one.share, *one[4:5], *one[5:8])


def scored(
    kind: Target, labels: pd.DataFrame, rows: pd.DataFrame, seed: int
) -> tuple[pd.DataFrame, np.ndarray, pd.Index]:
    """The tidy table; true values (samples, columns) of the tested, and who they are."""
    samples = pd.Index(rows["iid"].unique()).sort_values()
    labels = labels.set_index("iid").loc[samples]
    values = labels[[f"y{number}" for number in range(len(kind.names))]].to_numpy(float)
    fits = {}
    for (arm, share, number), part in rows.groupby(["arm", "share", "seed"], sort=False):
        found = part.set_index("iid").loc[samples, [f"p{place}" for place in range(kind.width)]].to_numpy(float)
        fits[arm, float(share), int(number)] = measures(kind, values, found)
    return tabulate(fits, labels["family"].to_numpy(), seed), values, samples


def described(
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
    """Everything about the task that names nobody."""
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
        "definitions": {name: text for name, text in SAID.items() if name in {"value", "interval", *metrics}},
        "columns": list(kind.names),
        "tested": counted(kind, values),
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
                else reported([int(part["seen"].iloc[0]), len(part) - int(part["seen"].iloc[0])])[0],
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
