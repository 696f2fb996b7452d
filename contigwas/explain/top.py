"""The features of each modality with the largest attributions, with intervals over samples."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contigwas.explain.genome import NAMES
from contigwas.plots import style
from contigwas.plots.labels import fitting, measure, shorten_middle
from contigwas.runtime.atomic_files import PathLike

log = logging.getLogger(__name__)
N_FEATURES = 12  # per modality
COLUMNS = 3  # panels per row
ROW, BAR = 0.2, 2.1  # inches: height per feature, width of a panel without its labels
MAX_LABEL = 34  # characters


def top(features: PathLike, modalities: PathLike, outputs: Sequence[PathLike], title: str) -> Figure:
    """Draw the features of features.parquet with the largest mean |attribution| by the first method.

    There is one panel per modality, with all methods. Writes PNG and PDF, and returns the figure.
    """
    table, sums = pd.read_parquet(features), pd.read_csv(modalities, sep="\t")
    methods, names = [*dict.fromkeys(table["method"])], [*dict.fromkeys(table["modality"])]
    with style.applied():
        figure = _draw(table, sums, methods, names, title)
        style.save(figure, outputs)
    log.info("strongest features of %d modalities by %s", len(names), ", ".join(methods))
    return figure


def label(feature: str, name: str) -> str:
    """Return the label of a feature: its name and, if different, its identifier.

    >>> label("PGS000001", "body mass index"), label("APOE.lof", "APOE")
    ('body mass index (PGS000001)', 'APOE.lof')
    """
    if feature.startswith(name):
        return feature if len(feature) <= MAX_LABEL else shorten_middle(feature)
    if len(name) + len(feature) + 3 <= MAX_LABEL:
        return f"{name} ({feature})"
    short = shorten_middle(feature)
    room = MAX_LABEL - len(short) - 3
    return f"{name if len(name) <= room else name[: room - 1] + '…'} ({short})"


def _draw(table: pd.DataFrame, sums: pd.DataFrame, methods: list[str], names: list[str], title: str) -> Figure:
    """Draw the panels of all modalities with the title and the legend of methods."""
    chosen = {}
    for name in names:
        part = table[(table["modality"] == name) & (table["method"] == methods[0])]
        chosen[name] = [*part.nlargest(N_FEATURES, "mean_abs")["feature"]]
    names_of = table.drop_duplicates(["modality", "feature"]).set_index(["modality", "feature"])["name"]
    texts = {name: [label(one, str(names_of[name, one])) for one in chosen[name]] for name in names}
    lefts = [max(measure(text, fontsize=7)[0] for text in texts[name]) + 0.15 for name in names]
    columns = min(COLUMNS, len(names))
    wide = [max(lefts[column::columns]) + BAR + 0.3 for column in range(columns)]
    rows = -(-len(names) // columns)
    tall = [ROW * max(len(chosen[name]) for name in names[row * columns : (row + 1) * columns]) + 0.9
            for row in range(rows)]  # fmt: skip
    size = (max(sum(wide) + 0.1, 4.5), sum(tall) + 0.45)
    figure = Figure(figsize=size)
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        height = ROW * len(chosen[name])
        x = sum(wide[:column]) + max(lefts[column::columns])
        y = size[1] - 0.5 - sum(tall[:row]) - 0.3 - height
        axis = figure.add_axes((x / size[0], y / size[1], BAR / size[0], height / size[1]))
        _panel(axis, table[table["modality"] == name], chosen[name], texts[name], methods)
        heading = _heading(sums, methods[0], name)
        axis.set_title(heading, loc="left", **fitting(heading, BAR + 0.2, fontsize=8.5, fontweight="bold"))
    words = "mean |attribution| over samples with its 95 % interval"
    for text, y, font in (
        (title, 0.08, {"fontsize": 11, "fontweight": "bold"}),
        (words, 0.3, {"fontsize": 8, "color": style.MUTED}),
    ):
        figure.text(0.1 / size[0], 1 - y / size[1], text, va="top", **fitting(text, size[0] - 0.2, **font))
    if len(methods) > 1:
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="upper right", bbox_to_anchor=(1, 1), ncols=len(methods), handletextpad=0.3)
    return figure


def _heading(sums: pd.DataFrame, method: str, name: str) -> str:
    row = sums[(sums["method"] == method) & (sums["modality"] == name)].iloc[0]
    return f"{name}: {int(row['features']):,} features, {row['sum_abs']:.3g} nats"


def _panel(axis: Axes, table: pd.DataFrame, features: list[str], texts: list[str], methods: list[str]) -> None:
    """Draw one modality: a point with its interval per feature and method."""
    y = np.arange(len(features))
    for number, method in enumerate(methods):
        part = table[table["method"] == method].set_index("feature").reindex(features)
        offset = (number - (len(methods) - 1) / 2) * 0.32
        reach = [part["mean_abs"] - part["low"], part["high"] - part["mean_abs"]]
        axis.errorbar(part["mean_abs"], y + offset, xerr=reach, fmt="os"[number % 2], ms=3.6, lw=1, mew=0,
                      color=style.PALETTE[number], label=NAMES[method])  # fmt: skip
    axis.set_yticks(y, texts, fontsize=7)
    axis.set_ylim(len(features) - 0.4, -0.6)
    axis.set_xlim(left=0)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=7)
    axis.grid(axis="x", color=style.FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.set_xlabel("mean |attribution| (nats)", fontsize=7.5)
