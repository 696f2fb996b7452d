"""Genes below a regional plot: lines with names and arrows, arranged in rows without overlap."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from contigwas.plots import style
from contigwas.plots.labels import measure, shorten

MAX_ROWS = 10
ROW, GAP = 0.2, 0.08  # inches: height of a row, distance between genes
FONT = {"fontsize": 6.5, "fontstyle": "italic"}


def arrange(genes: pd.DataFrame, start: float, end: float, lead: float, width: float) -> tuple[pd.DataFrame, int]:
    """Return the placed genes of a window (left right row text label), and the number of genes that do not fit.

    `genes` (start end name strand) are those of the chromosome, in base pairs. The axes run from `start` to `end` and
    are `width` inches wide. left, right and label (left end of the text) are in inches. Rows of the same name are
    merged into one span. Genes nearest to `lead` are placed first, each in the topmost row in which line and name do
    not touch others; there are at most ten rows.
    """
    inside = genes[(genes["end"] >= start) & (genes["start"] <= end)]
    inside = inside.groupby("name", sort=False, as_index=False).agg({"start": "min", "end": "max", "strand": "first"})
    distance = np.maximum(np.maximum(inside["start"] - lead, lead - inside["end"]), 0)
    inside = inside.iloc[np.argsort(distance.to_numpy(), kind="stable")]
    rows: list[list[tuple[float, float]]] = []
    placed = []
    for gene in inside.itertuples(index=False):
        left, right = ((np.clip(one, start, end) - start) / (end - start) * width for one in (gene.start, gene.end))
        text = _text(shorten(str(gene.name)), gene.strand)
        wide = measure(text, **FONT)[0]
        label = float(np.clip((left + right) / 2 - wide / 2, 0, max(width - wide, 0)))
        low, high = min(left, label) - GAP / 2, max(right, label + wide) + GAP / 2
        row = next((row for row, taken in enumerate(rows) if all(high <= a or b <= low for a, b in taken)), len(rows))
        if row >= MAX_ROWS:
            continue
        if row == len(rows):
            rows.append([])
        rows[row].append((low, high))
        placed.append((gene.name, float(left), float(right), row, text, label, gene.strand))
    columns = ["name", "left", "right", "row", "text", "label", "strand"]
    return pd.DataFrame(placed, columns=columns), len(inside) - len(placed)


def _text(name: str, strand: str) -> str:
    return f"{name} →" if strand == "+" else f"← {name}" if strand == "-" else name


def height(placed: pd.DataFrame) -> float:
    """Return the height of the rows in inches."""
    return ROW * (int(placed["row"].max()) + 1 if len(placed) else 1) + 0.05


def draw(axis: Axes, placed: pd.DataFrame, left: float, scale: float) -> None:
    """Draw the genes placed by `arrange`; `left` is the start of the axis, `scale` its units per inch."""
    tall = height(placed)
    axis.set_ylim(tall, 0)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    for gene in placed.itertuples(index=False):
        y = ROW * gene.row + 0.15
        ends = [left + gene.left * scale, left + max(gene.right, gene.left + 0.015) * scale]
        axis.plot(ends, [y, y], color=style.DARK, linewidth=2.0, solid_capstyle="butt", gid="gene")
        axis.text(left + gene.label * scale, y - 0.035, gene.text, ha="left", va="bottom", gid="gene name", **FONT)
