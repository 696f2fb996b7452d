"""Genes under a regional plot: lines with arrows and names, in as few rows as leave all of them legible."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from contigwas.plots import style
from contigwas.plots.labels import measure, shorten

MOST_ROWS = 10
ROW, GAP = 0.2, 0.08  # inches: height of a row, room between genes
FONT = {"fontsize": 6.5, "fontstyle": "italic"}


def arrange(genes: pd.DataFrame, start: float, end: float, lead: float, width: float) -> tuple[pd.DataFrame, int]:
    """Where the genes of a window go: columns left right (inches from the left), row, text, label (its left end).

    `genes` (start end name strand) are those of the chromosome, positions in base pairs; the axes run from `start` to
    `end` and are `width` inches wide. Of a name that is duplicated the widest span is drawn. The genes nearest to `lead`
    are placed first, each in the topmost row where neither line nor name would touch another; returns the placed, and
    how many found no room in ten rows.
    """
    here = genes[(genes["end"] >= start) & (genes["start"] <= end)]
    here = here.groupby("name", sort=False, as_index=False).agg({"start": "min", "end": "max", "strand": "first"})
    away = np.maximum(np.maximum(here["start"] - lead, lead - here["end"]), 0)
    here = here.iloc[np.argsort(away.to_numpy(), kind="stable")]
    rows: list[list[tuple[float, float]]] = []
    placed = []
    for gene in here.itertuples(index=False):
        left, right = ((np.clip(one, start, end) - start) / (end - start) * width for one in (gene.start, gene.end))
        text = _text(shorten(str(gene.name)), gene.strand)
        wide = measure(text, **FONT)[0]
        label = float(np.clip((left + right) / 2 - wide / 2, 0, max(width - wide, 0)))
        low, high = min(left, label) - GAP / 2, max(right, label + wide) + GAP / 2
        row = next((row for row, taken in enumerate(rows) if all(high <= a or b <= low for a, b in taken)), len(rows))
        if row >= MOST_ROWS:
            continue
        if row == len(rows):
            rows.append([])
        rows[row].append((low, high))
        placed.append((gene.name, float(left), float(right), row, text, label, gene.strand))
    columns = ["name", "left", "right", "row", "text", "label", "strand"]
    return pd.DataFrame(placed, columns=columns), len(here) - len(placed)


def _text(name: str, strand: str) -> str:
    return f"{name} →" if strand == "+" else f"← {name}" if strand == "-" else name


def height(placed: pd.DataFrame) -> float:
    """Inches that the rows take."""
    return ROW * (int(placed["row"].max()) + 1 if len(placed) else 1) + 0.05


def draw(axis: Axes, placed: pd.DataFrame, left: float, scale: float) -> None:
    """Draw what `arrange` placed; `left` is where the axis begins, `scale` its units an inch."""
    tall = height(placed)
    axis.set_ylim(tall, 0)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    for gene in placed.itertuples(index=False):
        y = ROW * gene.row + 0.15
        ends = [left + gene.left * scale, left + max(gene.right, gene.left + 0.015) * scale]
        axis.plot(ends, [y, y], color=style.DARK, linewidth=2.0, solid_capstyle="butt", gid="gene")
        axis.text(left + gene.label * scale, y - 0.035, gene.text, ha="left", va="bottom", gid="gene name", **FONT)
