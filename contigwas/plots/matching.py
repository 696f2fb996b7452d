"""How the rows of every polygenic score matched: shares of outcomes, score by score."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from contigwas.pgs.matching import OUTCOMES
from contigwas.plots import style
from contigwas.plots.labels import measure, shorten_middle
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)

# what enters the score in blues, what was dropped in warm colours and greys
COLORS = dict(
    zip(
        OUTCOMES,
        ("#2b5d87", "#5b8db3", "#86adc9", "#bcd2e2", "#e69f00", "#cc79a7", "#d55e00", "#8a7fb5", "#d5dbe1"),
        strict=True,
    )
)
FEW = 60  # scores that get a line and a name each


def plot_matching(matching: PathLike, min_overlap: float, outputs: Sequence[PathLike]) -> Figure:
    """Draw the table that the stage pgs wrote to `outputs` (PNG, PDF) and return the figure.

    Scores by their overlap, the best first: each with a name, or, where there are more than 60, as thin columns. A line
    marks `min_overlap`, below which a score was left out.
    """
    table = read_table(matching, ["score", "rows", "overlap", "kept", *OUTCOMES], "the table of matches")
    table = table.sort_values(["overlap", "score"], ascending=[False, True], kind="stable").reset_index(drop=True)
    shares = table[list(OUTCOMES)].to_numpy(float) / table["rows"].to_numpy(float)[:, None]
    with style.applied():
        draw = _named if len(table) <= FEW else _columns
        figure = draw(table, shares, min_overlap)
        left = int((table["kept"] == 0).sum())
        reported = f"Rows of {len(table):,} polygenic scores" + (f", {left:,} of them left out" if left else "")
        figure.axes[0].set_title(reported, fontweight="bold")
        style.save(figure, outputs)
    log.info("matches of %d scores, %d of them left out", len(table), left)
    return figure


def _named(table: pd.DataFrame, shares: np.ndarray, min_overlap: float) -> Figure:
    names = [shorten_middle(str(one)) for one in table["score"]]
    left = 0.3 + max(measure(name, fontsize=7)[0] for name in names)
    height = max(2.5, 1.0 + 0.16 * len(names))  # the legend is 2 inches high
    figure = Figure(figsize=(left + 6.2, height))
    axis = figure.add_axes((left / (left + 6.2), 0.5 / height, 4.4 / (left + 6.2), (height - 0.85) / height))
    places, start = np.arange(len(names)), np.zeros(len(names))
    for number, name in enumerate(OUTCOMES):
        axis.barh(places, shares[:, number], left=start, height=0.8, color=COLORS[name])
        start += shares[:, number]
    axis.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), xlabel="share of the score's rows")
    axis.set_yticks(places, names, fontsize=7)
    axis.tick_params(axis="y", length=0)
    for label, kept in zip(axis.get_yticklabels(), table["kept"], strict=True):
        label.set_color(style.INK if kept else style.HIT)
    axis.axvline(min_overlap, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
    _legend(axis, shares, min_overlap)
    return figure


def _columns(table: pd.DataFrame, shares: np.ndarray, min_overlap: float) -> Figure:
    figure = Figure(figsize=(8.6, 3.8))
    axis = figure.add_axes((0.08, 0.13, 0.67, 0.77))
    # one polygon an outcome: hundreds of bars would show their seams
    edges = np.repeat(np.arange(len(table) + 1), 2)[1:-1]
    heights = np.repeat(np.cumsum(shares, axis=1), 2, axis=0)
    low = np.zeros(len(edges))
    for number, name in enumerate(OUTCOMES):
        axis.fill_between(edges, low, heights[:, number], color=COLORS[name], linewidth=0)
        low = heights[:, number]
    axis.set(xlim=(0, len(table)), ylim=(0, 1), xlabel="scores, by overlap", ylabel="share of the score's rows")
    axis.axhline(min_overlap, color=style.INK, linewidth=1, linestyle=(0, (4, 2)))
    _legend(axis, shares, min_overlap)
    return figure


def _legend(axis, shares: np.ndarray, min_overlap: float) -> None:
    """The outcomes that there are, in the order of the bars."""
    seen = [name for name, share in zip(OUTCOMES, shares.sum(axis=0), strict=True) if share > 0]
    handles = [Patch(color=COLORS[name], label=name.replace("_", " and ")) for name in seen]
    line = {"color": style.INK, "linewidth": 1, "linestyle": (0, (4, 2)), "label": f"least overlap {min_overlap:g}"}
    handles.append(Line2D([], [], **line))
    axis.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
