"""All seeds of a segmentation together: one tidy table, everything else in JSON, a figure, and private overlays."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.downstream import scores
from contigwas.downstream.figures import draw_arms
from contigwas.downstream.segmentation.masks import Labels
from contigwas.downstream.segmentation.overlays import draw_overlays
from contigwas.privacy.small_counts import hidden
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet, write_tsv

log = logging.getLogger(__name__)
METRICS = {"dice": scores.dice, "iou": scores.iou}
SAID = {
    "dice": "2 |P and T| / (|P| + |T|) over all pixels of a sample's images; 1 where neither has any",
    "iou": "|P and T| / |P or T| over all pixels of a sample's images; 1 where neither has any",
    "value": "mean over samples; with several classes dice and iou are a sample's mean, dice:<class> is of one",
    "interval": "95 % percentile bootstrap over samples, each the mean over the seeds; of a - b the paired differences",
    "resolution": "of the size that the networks see, not of the files",
}


def summarise(
    model: str,
    task: str,
    counted: Sequence[PathLike],
    examples: Sequence[PathLike],
    settings: Mapping[str, object],
    output_json: PathLike,
    output_tsv: PathLike,
    output_samples: PathLike,
    output_figures: Sequence[PathLike],
    output_overlays: Sequence[PathLike],
) -> None:
    """Write what the seeds say: `counted` and `examples` are the outputs of `segment`, one a seed, in order.

    `output_json`, `output_tsv` and `output_figures` show nobody; `output_samples` (scores by sample) and
    `output_overlays` do and go to a private folder.
    """
    rows = pd.concat(
        [pd.read_parquet(path).assign(seed=number) for number, path in enumerate(counted)], ignore_index=True
    )
    by_sample = scored(rows, Labels.of(settings, task).classes)
    table = scores.tidy(by_sample, int(settings["seed"]))
    private_folder(Path(output_samples).parent)
    write_parquet(by_sample, output_samples)
    with np.load(examples[0]) as shown:
        draw_overlays(dict(shown), [arm["name"] for arm in settings["arms"]], output_overlays)
    dice = [metric for metric in dict.fromkeys(table["metric"]) if metric.partition(":")[0] == "dice"]
    draw_arms(table, f"{task}, features of {model}", output_figures, dice)
    write_tsv(table, output_tsv)
    with replacing(output_json) as temporary:
        temporary.write_text(json.dumps(described(model, task, rows, table, settings), indent=1) + "\n")
    best = table[table["seed"].isna() & (table["metric"] == "dice") & ~table["arm"].str.contains(" - ")]
    for one in best.itertuples():
        log.info("%s at %g of the labels: Dice %.3f (%.3f to %.3f)", one.arm, one.share, one.value, one.low, one.high)


def scored(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Scores by sample, of each class and, where there are several, their mean: iid arm share seed metric value."""
    keys = ["iid", "arm", "share", "seed"]
    parts = []
    for metric, formula in METRICS.items():
        values = rows[keys].assign(metric=metric, value=formula(rows["both"], rows["predicted"], rows["truth"]))
        if len(classes) > 1:
            parts.append(values.groupby([*keys, "metric"], sort=False, as_index=False)["value"].mean())
            values["metric"] += ":" + rows["class"]
        parts.append(values)
    return pd.concat(parts, ignore_index=True)


def described(
    model: str, task: str, rows: pd.DataFrame, table: pd.DataFrame, settings: Mapping[str, object]
) -> dict[str, object]:
    """Everything about the task that names nobody."""
    most = rows[rows["share"] == rows["share"].max()]
    first = most[(most["seed"] == 0) & (most["arm"] == rows["arm"].iloc[0])].drop_duplicates("iid")
    empty = rows[rows["truth"] == 0].groupby("class")["iid"].nunique()
    spread = table[table["seed"].notna()].groupby(["arm", "share", "metric"], sort=False)["value"].std(ddof=1)
    return {
        "task": task,
        "kind": "segmentation",
        "model": model,
        "settings": dict(settings),
        "definitions": SAID,
        "classes": {name: {"samples_without": int(empty.get(name, 0))} for name in dict.fromkeys(rows["class"])},
        "n_samples": len(first),
        "seeds": int(rows["seed"].nunique()),
        "splits": [
            {
                "network": int(part["network"].iloc[0]),
                "train": {
                    f"{share:g}": int(own["train"].iloc[0])
                    for share, own in rows[rows["split"] == number].groupby("share")
                },
                "test": len(part),
                "test_samples_whose_images_the_pretraining_saw": hidden(int(part["seen"].iloc[0])),
            }
            for number, part in first.groupby("split")
        ],
        "sd_over_seeds": [
            {"arm": arm, "share": share, "metric": metric, "sd": None if pd.isna(sd) else float(sd)}
            for (arm, share, metric), sd in spread.items()
        ],
        "scores": json.loads(table.to_json(orient="records")),
    }
