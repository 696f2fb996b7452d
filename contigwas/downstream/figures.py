"""Figure of a downstream task: the score of each arm with its interval, by fraction of labels. No sample is shown."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from contigwas.plots import style
from contigwas.runtime.atomic_files import PathLike

PANELS_PER_ROW = 4
DIFFERENCE = " - "  # between the names of two arms
METRIC_LABELS = {
    "dice": "Dice",
    "iou": "IoU",
    "kappa": "quadratic weighted kappa",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "r2": "R²",
    "mae": "mean absolute error",
}


def draw_arms(table: pd.DataFrame, title: str, outputs: Sequence[PathLike], metrics: Sequence[str]) -> None:
    """Plot one panel per metric, four in a row, with the arms from top to bottom. Small dots are single seeds.

    Fractions of labels without a fit are left out. `table` has the columns of `contigwas.downstream.scores`.
    """
    own = table[table["metric"].isin(metrics) & ~table["arm"].str.contains(DIFFERENCE, regex=False)]
    arms = list(dict.fromkeys(own["arm"]))
    with style.applied():
        n_columns = min(PANELS_PER_ROW, len(metrics))
        n_rows = -(-len(metrics) // n_columns)
        size = (3.2 + 3.4 * n_columns, 0.6 + (0.8 + 0.42 * len(arms)) * n_rows)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).ravel()
        for axis, name in zip(axes, metrics, strict=False):
            _draw_panel(axis, own[own["metric"] == name], arms)
            metric, _, part = name.partition(":")
            axis.set_xlabel(", ".join([METRIC_LABELS.get(metric, metric), *([part] if part else [])]))
        for axis in axes[len(metrics) :]:
            axis.set_axis_off()
        axes[0].set_yticks(range(len(arms)), arms)
        axes[0].invert_yaxis()
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=len(labels))
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        style.save(figure, outputs)


def _draw_panel(axis, rows: pd.DataFrame, arms: list[str]) -> None:
    shares = sorted(set(rows["share"]))
    for place, share in enumerate(shares):
        shift = 0.26 * (place - (len(shares) - 1) / 2)
        means = rows[(rows["share"] == share) & rows["seed"].isna()].set_index("arm").loc[arms]
        color = style.PALETTE[place % len(style.PALETTE)]
        height = np.arange(len(arms)) + shift
        axis.errorbar(
            means["value"],
            height,
            xerr=[means["value"] - means["low"], means["high"] - means["value"]],
            fmt="o",
            markersize=4.5,
            color=color,
            linewidth=1.2,
            label=f"{share:.0%} of the labels",
        )
        seeds = rows[(rows["share"] == share) & rows["seed"].notna()]
        axis.plot(
            seeds["value"],
            [arms.index(arm) + shift for arm in seeds["arm"]],
            ".",
            color=color,
            alpha=0.35,
            markersize=3,
        )
    axis.grid(axis="x", color=style.FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.set_ylim(-0.6, len(arms) - 0.4)
