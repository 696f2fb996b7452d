"""The figure of a clustering: the criterion against k, clusters against labels, and how well they agree."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from contigwas.downstream.clusters.agreement import Agreement
from contigwas.downstream.clusters.result import Found
from contigwas.plots import style
from contigwas.plots.labels import shorten_middle
from contigwas.privacy.small_counts import LARGE
from contigwas.runtime.atomic_files import PathLike

ARMS = {"kmeans": "k-means", "hdbscan": "HDBSCAN", "probe": "supervised probe"}
METRICS = {"accuracy": "accuracy", "nmi": "NMI", "ari": "ARI", "stability": "stability"}
MOST = 12  # rows and columns of a table whose cells are written out


def draw(found: Found, outputs: Sequence[PathLike]) -> Figure:
    """Draw to `outputs` (PNG, PDF) and return the figure; no count of 1 to 4 samples can be worked out."""
    with style.applied():
        figure = Figure(figsize=(7.4, 5.6), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=[1, 1.25])
        left, right = above.subplots(1, 2)
        _criterion(left, found)
        _figures(right, found)
        tables = below.subplots(1, 2)
        for axis, arm in zip(tables, ("kmeans", "hdbscan"), strict=True):
            if arm in found.agreements:
                _table(axis, found.agreements[arm], found.table(arm), found.names, ARMS[arm])
            elif arm in found.partitions:
                _sizes(axis, found, arm)
            else:
                axis.set_axis_off()
                axis.set_title(f"{ARMS[arm]}: left out, too many samples")
        style.save(figure, outputs)
    return figure


def _criterion(axis: Axes, found: Found) -> None:
    axis.plot([*found.criterion], [*found.criterion.values()], color=style.DARK, marker="o", markersize=3, linewidth=1)
    axis.axvline(found.k, color=style.HIT, linewidth=0.8, linestyle="--", zorder=0)
    axis.set_title(f"k-means: k = {found.k}")
    axis.set_xlabel("k")
    axis.set_ylabel("mean silhouette")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _figures(axis: Axes, found: Found) -> None:
    """Agreement with labels, and stability, with their intervals."""
    rows = found.rows
    names = [name for name in METRICS if (rows["metric"] == name).any()]
    arms = [arm for arm in ARMS if (rows["arm"] == arm).any()]
    for number, arm in enumerate(arms):
        for place, name in enumerate(names):
            one = rows[(rows["arm"] == arm) & (rows["metric"] == name)]
            if one.empty:
                continue
            value, low, high = (float(one[key].iloc[0]) for key in ("value", "low", "high"))
            x = place + (number - (len(arms) - 1) / 2) * 0.22
            axis.plot([x, x], [low, high], color=style.PALETTE[number], linewidth=1.2)
            axis.plot(x, value, "o", color=style.PALETTE[number], markersize=4, label=ARMS[arm] if not place else None)
    axis.set_xticks(range(len(names)), [METRICS[name] for name in names])
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_ylim(min(0.0, axis.get_ylim()[0]), 1.02)
    axis.set_title("agreement with the labels" if found.agreements else "found again in 80 % of the samples")
    handles = {handle.get_label(): handle for handle in axis.get_lines() if handle.get_label()[0] != "_"}
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "ncols": len(handles)}
    axis.legend(handles=[*handles.values()], fontsize=7, handletextpad=0.2, **below)


def _table(axis: Axes, agreement: Agreement, reported: list[list], names: Sequence[str], title: str) -> None:
    """Clusters in the order of the labels they stand for; then those that stand for none, and noise."""
    rows = range(len(agreement.matched) - agreement.noise)
    order = sorted(rows, key=lambda row: (agreement.matched[row] < 0, agreement.matched[row]))
    order += [-1] * agreement.noise
    counts = agreement.counts[order]
    cells = np.array(reported, dtype=object)[order]
    # shades of hidden cells would tell them: those of 5 and more are dark, smaller ones light
    shares = np.vectorize(lambda cell: 0.5 if str(cell).startswith(LARGE) else 0.0, otypes=[float])(cells)
    open_columns = ~np.array([[isinstance(cell, str) for cell in row] for row in cells]).any(axis=0)
    shares[:, open_columns] = (counts / np.maximum(counts.sum(axis=0, keepdims=True), 1))[:, open_columns]
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=2, aspect="auto")
    if max(counts.shape) <= MOST:
        for (row, column), count in np.ndenumerate(cells):
            axis.text(
                column,
                row,
                _sign(count),
                ha="center",
                va="center",
                fontsize=7,
                color=style.INK,
            )
    axis.set_xticks(range(len(names)), [shorten_middle(name) for name in names], fontsize=7)
    axis.set_yticks(range(len(order)), ["noise" if one == -1 else str(one + 1) for one in order], fontsize=7)
    axis.set_xlabel("label")
    axis.set_ylabel("cluster")
    axis.set_title(f"{title}: samples")
    axis.spines[:].set_visible(False)


def _sign(count: int | str) -> str:
    return str(count).replace(">=", "≥")


def _sizes(axis: Axes, found: Found, arm: str) -> None:
    *sizes, noise = found.sizes(arm)
    drawn = [0 if isinstance(size, str) else size for size in sizes]
    axis.bar(range(1, len(sizes) + 1), drawn, color=style.DARK, width=0.7)
    for place, size in enumerate(sizes, start=1):
        if isinstance(size, str):
            axis.text(place, 0, _sign(size), ha="center", va="bottom", fontsize=7, color=style.INK)
    reported = [f"{_sign(noise)} samples without"] if arm == "hdbscan" else []
    axis.set_title(", ".join([f"{ARMS[arm]}: {len(sizes)} clusters", *reported]))
    axis.set_xlabel("cluster")
    axis.set_ylabel("samples")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
