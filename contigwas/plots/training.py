"""Training curves: losses, retrieval recall, alignment, uniformity and RankMe by epoch."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from contigwas.plots import style
from contigwas.plots.labels import fitting, shorten_middle
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)
AT = re.compile(r"^(?P<way>.+_to_.+)@(?P<rank>\d+)$")
CELL, HEIGHT = 1.62, 1.42  # inches of a panel: five fit the width of A4
COLUMNS = 5
LINES = ("-", "--", ":")  # line styles of ranks of retrieval, and of training and validation
SMALL = 6.5  # points, for ticks and legends


@dataclass(frozen=True)
class Panel:
    """Content of a panel: columns of the history with their line styles.

    kind: loss, retrieval, figure or rate; chance: columns with the chance level, in the line styles of the ranks.
    """

    title: str
    kind: str
    columns: dict[str, str]
    chance: dict[str, str]


def training_curves(histories: Mapping[str, PathLike], outputs: Sequence[PathLike], title: str) -> Figure:
    """Draw the history of every fold to `outputs` (PNG, PDF), at most as wide as A4, and return the figure.

    `histories` maps a label to a CSV file of `contigwas.pretrain.train`. The first row has the total losses, RankMe and
    the learning rate. Every contrast has a row with its loss, retrieval recall in both directions at each rank with
    chance, alignment and uniformity. Dots mark the epoch with the minimum validation loss. Histories without an epoch
    give a small figure with a message. Raises UserError if a file is not a history.
    """
    tables = {label: _read(path) for label, path in histories.items()}
    trained = {label: table for label, table in tables.items() if len(table)}
    with style.applied():
        figure = _curves(trained) if trained else _empty_figure()
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        style.save(figure, outputs)
    log.info("training curves of %d of %d folds", len(trained), len(tables))
    return figure


def _read(path: PathLike) -> pd.DataFrame:
    try:
        table = pd.read_csv(require(path, "the training history"))
    except (pd.errors.EmptyDataError, pd.errors.ParserError):
        table = pd.DataFrame()
    if "epoch" not in table.columns or "train_loss" not in table.columns:
        raise UserError(f"{path} is not a training history (columns epoch and train_loss): train this model again")
    return table


def panels(tables: Sequence[pd.DataFrame]) -> list[list[Panel]]:
    """Return the rows of panels with data: first for the whole model, then one row per contrast."""
    present = dict.fromkeys(
        name for table in tables for name in table.columns if np.isfinite(table[name].astype(float)).any()
    )
    contrasts = [name.removeprefix("train_") for name in present if name.startswith("train_") and name != "train_loss"]
    several = len(contrasts) > 1
    total = [
        _simple_panel("total loss" if several else "loss", "loss", ["train_loss", "val_loss"], present),
        _simple_panel("RankMe (dimensions)", "figure", ["rank_me"], present),
        _simple_panel("learning rate", "rate", ["lr"], present),
    ]
    rows = [total]
    for name in contrasts:
        label = shorten_middle(name)
        losses = [_simple_panel(f"loss, {label}", "loss", [f"train_{name}", f"val_{name}"], present)] if several else []
        figures = [
            _simple_panel(f"{figure}, {label}", "figure", [f"{figure}_{name}"], present)
            for figure in ("alignment", "uniformity")
        ]
        rows.append([*losses, *_retrievals(name, several, present), *figures])
    total, *rows = [shown for row in rows if (shown := [panel for panel in row if panel.columns])]
    if all(len(row) == 1 for row in rows):  # without validation samples: one loss per contrast
        single = [panel for row in rows for panel in row]
        rows = [single[start : start + COLUMNS] for start in range(0, len(single), COLUMNS)]
    return [total, *rows]


def _simple_panel(title: str, kind: str, columns: Sequence[str], present: Mapping[str, None]) -> Panel:
    """Return a panel of the columns that have numbers."""
    return Panel(title, kind, {name: line for name, line in zip(columns, LINES, strict=False) if name in present}, {})


def _retrievals(contrast: str, several: bool, present: Mapping[str, None]) -> list[Panel]:
    """Return one panel per direction of retrieval, with a line style per rank. A single contrast has all directions."""
    ways: dict[str, dict[str, str]] = {}
    for name in present:
        match = AT.match(name)
        if match and (not several or match["way"] in (f"image_to_{contrast}", f"{contrast}_to_image")):
            ways.setdefault(match["way"], {})[match["rank"]] = name
    result = []
    for way, by_rank in ways.items():
        lines = dict(zip(sorted(by_rank, key=int), LINES, strict=False))
        query, target = (shorten_middle(end) for end in way.split("_to_"))
        chance = {f"chance_{contrast}@{rank}": line for rank, line in lines.items()}
        result.append(
            Panel(
                f"{query} → {target}, R@k",
                "retrieval",
                {by_rank[rank]: line for rank, line in lines.items()},
                {name: line for name, line in chance.items() if name in present},
            )
        )
    return result


def _empty_figure() -> Figure:
    figure = Figure(figsize=(4.2, 0.9), layout="constrained")
    axis = figure.subplots()
    axis.set_axis_off()
    style.say(axis, "no training history")
    return figure


def _curves(tables: Mapping[str, pd.DataFrame]) -> Figure:
    rows = panels(list(tables.values()))
    columns = max(len(rows[0]) + 1, *(len(row) for row in rows))
    figure = Figure(figsize=(CELL * columns, HEIGHT * len(rows) + 0.55), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    grid = figure.add_gridspec(len(rows), columns)
    colors = {label: style.PALETTE[number % len(style.PALETTE)] for number, label in enumerate(tables)}
    for number, row in enumerate(rows):
        for place, panel in enumerate(row):
            axis = figure.add_subplot(grid[number, place])
            for label, table in tables.items():
                _draw(axis, table, panel, colors[label])
            _finish(axis, panel, last=number == len(rows) - 1)
    _draw_legend(figure.add_subplot(grid[0, len(rows[0]) :]), [panel for row in rows for panel in row])
    folds = [Line2D([], [], color=color, linewidth=1.5, label=label) for label, color in colors.items()]
    figure.legend(handles=folds, loc="outside lower left", ncols=2 * columns - 2, fontsize=SMALL + 0.5)
    return figure


def _draw(axis: Axes, table: pd.DataFrame, panel: Panel, color: str) -> None:
    """Draw the lines of one fold, with a dot at the (first) epoch with the minimum validation loss."""
    validation = table["val_loss"].astype(float) if "val_loss" in table else pd.Series(np.nan, table.index)
    best = validation.idxmin() if validation.notna().any() else None
    line_style = {"linewidth": 0.9, "marker": "_" if len(table) == 1 else None}
    for name, line in panel.chance.items():
        if name in table:
            axis.plot(table["epoch"], table[name], color=style.MUTED, linestyle=line, zorder=1, **line_style)
    for name, line in panel.columns.items():
        if name not in table:
            continue
        axis.plot(table["epoch"], table[name], color=color, linestyle=line, zorder=2, **line_style)
        if best is not None and panel.kind != "rate" and not name.startswith("train_"):
            axis.plot(table["epoch"][best], table[name][best], "o", color=color, markersize=2.8, zorder=3)


def _finish(axis: Axes, panel: Panel, last: bool) -> None:
    title = panel.title
    axis.tick_params(labelsize=SMALL, length=2, pad=1.5)
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.ticklabel_format(useOffset=False)
    axis.margins(x=0.04)
    low, high = axis.dataLim.intervalx
    if low == high:
        axis.set_xlim(low - 0.5, high + 0.5)
    if panel.kind == "retrieval":
        axis.set_ylim(0, min(1.02, axis.get_ylim()[1]))
    top = axis.dataLim.y1
    if panel.kind == "rate" and top > 0:
        power = math.floor(math.log10(top))
        title += f" (in {style.p_text(10.0**power)})" if power < -2 else ""
        unit = 10.0**power if power < -2 else 1.0
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value / unit:.3g}")
    axis.set_title(title, pad=3, **fitting(title, CELL - 0.4, fontsize=7.5))
    if last:
        axis.set_xlabel("epoch", fontsize=7, labelpad=1)


def _draw_legend(axis: Axes, shown: Sequence[Panel]) -> None:
    """Draw the legend of lines and dots in a separate axis."""
    axis.set_axis_off()
    validated = any("val_loss" in panel.columns for panel in shown)
    names = [("training", "-", style.INK)] + ([("validation", "--", style.INK)] if validated else [])
    retrieval = next((panel for panel in shown if panel.kind == "retrieval"), None)
    if retrieval:
        names += [(f"R@{AT.match(name)['rank']}", line, style.INK) for name, line in retrieval.columns.items()]
    if retrieval and retrieval.chance:
        names += [("chance", "-", style.MUTED)]
    lines = [Line2D([], [], color=color, linestyle=line, linewidth=1, label=name) for name, line, color in names]
    if validated:
        lines += [Line2D([], [], color=style.INK, marker="o", markersize=2.8, linestyle="", label="min. val. loss")]
    axis.legend(handles=lines, loc="upper left", fontsize=SMALL, handlelength=1.8, borderpad=0, labelspacing=0.5)
