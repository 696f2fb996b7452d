"""Training curves: losses, retrieval of a sample's other side, and the shape of the space that is learned."""

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
CELL, HEIGHT = 1.62, 1.42  # inches of a panel: five side by side fit the width of A4
COLUMNS = 5
LINES = ("-", "--", ":")  # of the ranks of retrieval, and of training, validation
SMALL = 6.5  # points, of ticks and legends


@dataclass(frozen=True)
class Panel:
    """What a small axis shows: columns of the history by the line style that each has.

    kind: loss, retrieval, figure or rate; chance: columns of what guessing reaches, in the line styles of the ranks.
    """

    title: str
    kind: str
    columns: dict[str, str]
    chance: dict[str, str]


def training_curves(histories: Mapping[str, PathLike], outputs: Sequence[PathLike], title: str) -> Figure:
    """Draw the history of every fold to `outputs` (PNG, PDF), at most as wide as A4, and return the figure.

    `histories` maps a label to a CSV as `contigwas.pretrain.train` writes it. Losses in total, RankMe and the learning
    rate are the first row; every contrast has a row with its loss, retrieval both ways at each rank with its chance,
    alignment and uniformity. Dots mark the epoch of the least validation loss. Histories without an epoch give a
    small figure that says so. Raises UserError when a file is not a history.
    """
    tables = {label: _read(path) for label, path in histories.items()}
    trained = {label: table for label, table in tables.items() if len(table)}
    with style.applied():
        figure = _curves(trained) if trained else _nothing()
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
        raise UserError(f"{path} is not a training history with epoch and train_loss: train this model again")
    return table


def panels(tables: Sequence[pd.DataFrame]) -> list[list[Panel]]:
    """The rows of panels for which these histories have numbers: first of the whole, then one a contrast."""
    known = dict.fromkeys(
        name for table in tables for name in table.columns if np.isfinite(table[name].astype(float)).any()
    )
    contrasts = [name.removeprefix("train_") for name in known if name.startswith("train_") and name != "train_loss"]
    several = len(contrasts) > 1
    whole = [
        _plain("loss, all together" if several else "loss", "loss", ["train_loss", "val_loss"], known),
        _plain("RankMe (dimensions)", "figure", ["rank_me"], known),
        _plain("learning rate", "rate", ["lr"], known),
    ]
    rows = [whole]
    for name in contrasts:
        label = shorten_middle(name)
        losses = [_plain(f"loss, {label}", "loss", [f"train_{name}", f"val_{name}"], known)] if several else []
        figures = [
            _plain(f"{figure}, {label}", "figure", [f"{figure}_{name}"], known)
            for figure in ("alignment", "uniformity")
        ]
        rows.append([*losses, *_retrievals(name, several, known), *figures])
    whole, *rows = [shown for row in rows if (shown := [panel for panel in row if panel.columns])]
    if all(len(row) == 1 for row in rows):  # nobody validates: a loss a contrast
        single = [panel for row in rows for panel in row]
        rows = [single[start : start + COLUMNS] for start in range(0, len(single), COLUMNS)]
    return [whole, *rows]


def _plain(title: str, kind: str, columns: Sequence[str], known: Mapping[str, None]) -> Panel:
    """A panel of those of the columns that hold numbers."""
    return Panel(title, kind, {name: line for name, line in zip(columns, LINES, strict=False) if name in known}, {})


def _retrievals(contrast: str, several: bool, known: Mapping[str, None]) -> list[Panel]:
    """Retrieval each way, a line style a rank; where there is one contrast, whatever the ways are called."""
    ways: dict[str, dict[str, str]] = {}
    for name in known:
        match = AT.match(name)
        if match and (not several or match["way"] in (f"image_to_{contrast}", f"{contrast}_to_image")):
            ways.setdefault(match["way"], {})[match["rank"]] = name
    result = []
    for way, found in ways.items():
        lines = dict(zip(sorted(found, key=int), LINES, strict=False))
        there, back = (shorten_middle(end) for end in way.split("_to_"))
        chance = {f"chance_{contrast}@{rank}": line for rank, line in lines.items()}
        result.append(
            Panel(
                f"{there} → {back}, R@k",
                "retrieval",
                {found[rank]: line for rank, line in lines.items()},
                {name: line for name, line in chance.items() if name in known},
            )
        )
    return result


def _nothing() -> Figure:
    figure = Figure(figsize=(4.2, 0.9), layout="constrained")
    axis = figure.subplots()
    axis.set_axis_off()
    style.say(axis, "nothing is trained")
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
    _explain(figure.add_subplot(grid[0, len(rows[0]) :]), [panel for row in rows for panel in row])
    folds = [Line2D([], [], color=color, linewidth=1.5, label=label) for label, color in colors.items()]
    figure.legend(handles=folds, loc="outside lower left", ncols=2 * columns - 2, fontsize=SMALL + 0.5)
    return figure


def _draw(axis: Axes, table: pd.DataFrame, panel: Panel, color: str) -> None:
    """One fold's lines, with a dot at the epoch of its least validation loss (the first, if there are several)."""
    validation = table["val_loss"].astype(float) if "val_loss" in table else pd.Series(np.nan, table.index)
    best = validation.idxmin() if validation.notna().any() else None
    looks = {"linewidth": 0.9, "marker": "_" if len(table) == 1 else None}
    for name, line in panel.chance.items():
        if name in table:
            axis.plot(table["epoch"], table[name], color=style.MUTED, linestyle=line, zorder=1, **looks)
    for name, line in panel.columns.items():
        if name not in table:
            continue
        axis.plot(table["epoch"], table[name], color=color, linestyle=line, zorder=2, **looks)
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


def _explain(axis: Axes, shown: Sequence[Panel]) -> None:
    """What lines and dots mean, in an axis of its own."""
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
        lines += [Line2D([], [], color=style.INK, marker="o", markersize=2.8, linestyle="", label="least val. loss")]
    axis.legend(handles=lines, loc="upper left", fontsize=SMALL, handlelength=1.8, borderpad=0, labelspacing=0.5)
