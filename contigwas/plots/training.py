"""Training curves: losses, and how often a person's other view is retrieved."""

import logging
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.plots import style
from contigwas.plots.labels import shorten

log = logging.getLogger(__name__)
AT = re.compile(r"^(?:retrieval_?)?(?P<way>.+)@(?P<rank>\d+)$")
RANK = 10  # of the ranks in the file, the one nearest to it is shown


def training_curves(histories: Mapping[str, PathLike], outputs: Sequence[PathLike], title: str) -> Figure:
    """Draw the history of every fold to `outputs` (PNG, PDF) and return the figure.

    `histories` maps a label to a CSV with epoch, train_loss and whatever else there is of val_loss, retrieval
    (`image_to_pgs@10`, `pgs_to_image@10`, …) and `chance_pgs@10`: a panel of losses, then one a pair of views.
    """
    tables = {label: _read(path) for label, path in histories.items()}
    panels = retrieval_panels([name for table in tables.values() for name in table.columns])
    columns = min(1 + len(panels), 4)
    rows = -(-(1 + len(panels)) // columns)
    colors = {label: style.PALETTE[number % len(style.PALETTE)] for number, label in enumerate(tables)}
    with style.applied():
        figure = Figure(figsize=(max(2.7 * columns, 4.2), 2.6 * rows + 0.45), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        _losses(axes[0], tables, colors)
        for axis, (pair, ways) in zip(axes[1:], panels.items(), strict=False):
            _retrieval(axis, tables, colors, pair, ways)
        for axis in axes[1 + len(panels) :]:
            axis.set_axis_off()
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        folds = [Line2D([], [], color=color, label=label) for label, color in colors.items()]
        figure.legend(handles=folds, loc="outside lower left", ncols=min(len(folds), 6))
        style.save(figure, outputs)
    log.info("training curves of %d folds, %d panels of retrieval", len(tables), len(panels))
    return figure


def _read(path: PathLike) -> pd.DataFrame:
    try:
        table = pd.read_csv(require(path, "the training history"))
    except (pd.errors.EmptyDataError, pd.errors.ParserError):
        table = pd.DataFrame()
    if "epoch" not in table.columns or "train_loss" not in table.columns:
        raise UserError(f"{path} is not a training history with epoch and train_loss: train this model again")
    return table


def retrieval_panels(columns: Sequence[str]) -> dict[str, list[str]]:
    """Columns of retrieval at about rank 10, both ways of a pair of views together.

    >>> retrieval_panels(["image_to_pgs@10", "pgs_to_image@10", "pgs_to_image@1", "chance_pgs@10"])
    {'image – pgs': ['image_to_pgs@10', 'pgs_to_image@10']}
    """
    found = {}
    for name in dict.fromkeys(columns):
        match = None if name.startswith("chance") else AT.match(name)
        if match:
            found[name] = (match["way"], int(match["rank"]))
    if not found:
        return {}
    rank = min((one for _, one in found.values()), key=lambda one: abs(one - RANK))
    panels: dict[str, list[str]] = {}
    for name, (way, at) in found.items():
        if at == rank:
            there, _, back = way.partition("_to_")
            pair = " – ".join(sorted((there, back), key=lambda one: (one != "image", one))) if back else way
            panels.setdefault(pair, []).append(name)
    return panels


def _losses(axis: Axes, tables: Mapping[str, pd.DataFrame], colors: Mapping[str, str]) -> None:
    """Training loss solid, validation loss dashed."""
    validated = False
    for label, table in tables.items():
        _line(axis, table, "train_loss", color=colors[label])
        validated |= _line(axis, table, "val_loss", color=colors[label], linestyle="--")
    styles = [("training", "-")] + ([("validation", "--")] if validated else [])
    _finish(axis, "loss", styles)


def _retrieval(
    axis: Axes, tables: Mapping[str, pd.DataFrame], colors: Mapping[str, str], pair: str, ways: Sequence[str]
) -> None:
    """Each way of retrieval in a line style of its own, chance dotted."""
    kinds = dict(zip(ways, ("-", "--", "-."), strict=False))
    chance = False
    for label, table in tables.items():
        for name, kind in kinds.items():
            _line(axis, table, name, color=colors[label], linestyle=kind)
        column = _chance_column(table.columns, ways)
        if column:
            chance |= _line(axis, table, column, color=style.MUTED, linestyle=":")
    rank = ways[0].rpartition("@")[2]
    styles = [(AT.match(name)["way"].replace("_to_", " → ").replace("_", " "), kind) for name, kind in kinds.items()]
    _finish(axis, f"{shorten(pair)}, retrieval@{rank}", styles + ([("chance", ":")] if chance else []))
    axis.set_ylim(bottom=0)


def _chance_column(columns: Sequence[str], ways: Sequence[str]) -> str | None:
    """The chance of these ways: named after one of their ends, or the only one of the rank."""
    rank = ways[0].rpartition("@")[2]
    there = [name for name in columns if name.startswith("chance") and name.rpartition("@")[2] in (rank, name)]
    ends = {end for name in ways for end in AT.match(name)["way"].split("_to_")}
    named = [name for name in there if name.removeprefix("chance").lstrip("_").rpartition("@")[0] in ends]
    return next(iter(named or (there if len(there) == 1 else [])), None)


def _line(axis: Axes, table: pd.DataFrame, column: str, **line: object) -> bool:
    """Draw a column over the epochs, with a dot where there is one epoch; False if there is nothing to draw."""
    if column not in table or not np.isfinite(table[column].astype(float)).any():
        return False
    marker = "o" if len(table) == 1 else None
    axis.plot(table["epoch"], table[column], linewidth=1.2, marker=marker, markersize=3, **line)
    return True


def _finish(axis: Axes, title: str, styles: Sequence[tuple[str, str]]) -> None:
    axis.set_title(title, fontsize=8.5)
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.margins(x=0.03)
    handles = [Line2D([], [], color=style.INK, linestyle=kind, linewidth=1, label=name) for name, kind in styles]
    axis.legend(handles=handles, fontsize=7, handlelength=1.8)
