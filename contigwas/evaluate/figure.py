"""The figure of the evaluation: panels side by side, a row a model in each; what a run has not is left out."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contigwas.evaluate import panels
from contigwas.plots import style
from contigwas.runtime.atomic_files import PathLike

ACROSS = 4  # panels in a line
WIDE = 8  # simulated traits from which on their heat map takes two places
WIDTH, TITLE, ROW = 2.7, 0.95, 0.3  # inches: a panel, its titles and axis, a model
LABELS = 4  # of a task without a score over all of them, that are drawn
# of a task's metrics the first that it has is drawn; the others stand in downstream.tsv
METRICS = ("kappa", "auroc", "r2", "dice", "balanced_accuracy", "accuracy", "stability")


def draw(tables: Mapping[str, pd.DataFrame], outputs: Sequence[PathLike]) -> Figure:
    """Draw the tables of `evaluate` that have something to show. Returns the figure."""
    models = tables["models"]
    order = [*models["model"]]
    with style.applied():
        shown = _panels(tables, order)
        lines = _lines([width for width, _ in shown])
        height = len(lines) * (TITLE + ROW * max(len(order), 2))
        figure = Figure(figsize=(1.0 + WIDTH * ACROSS, height), layout="constrained")
        grid = figure.add_gridspec(len(lines), ACROSS)
        for line, places in enumerate(lines):
            for start, number in places:
                width, paint = shown[number]
                axis = figure.add_subplot(grid[line, start : start + width])
                paint(axis)
                panels.rows(axis, order, [*models["n_samples"]] if start == 0 else None)
        style.save(figure, outputs)
    return figure


def _panels(tables: Mapping[str, pd.DataFrame], order: Sequence[str]) -> list[tuple[int, Callable[[Axes], None]]]:
    """What there is to draw: the width in places, and what paints it."""
    models = tables["models"]
    plain = [panels.loci, *([panels.truth] if "planted" in models else []), panels.calibration, panels.heritability]
    shown = [(1, partial(paint, table=models)) for paint in plain]
    probes = tables["probes"]
    if not probes.empty and probes["r2"].notna().any():
        width = 2 if probes["latent"].nunique() > WIDE else 1
        shown.append((width, partial(panels.probes, table=probes, order=order)))
    if not tables["retrieval"].empty:
        shown.append((1, partial(panels.retrieval, table=tables["retrieval"], order=order)))
    if not tables["attributions"].empty:
        shown.append((1, partial(panels.attributions, table=tables["attributions"], order=order)))
    for title, part in _tasks(tables["downstream"]):
        shown.append((1, partial(panels.downstream, table=part, order=order, title=title)))
    return shown


def _tasks(scores: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """A title and the scores of one metric of each task: every arm at its largest share of labels, no differences."""
    found = []
    for task, part in scores.groupby("task", sort=False):
        part = part[~part["arm"].str.contains(" - ", regex=False)]
        for metric in _metrics([*part["metric"].astype(str).unique()]):
            here = part[part["metric"] == metric]
            largest = here.groupby(["model", "arm"])["share"].transform("max")
            found.append((f"{task}: {metric.replace(':', ' ')}", here[here["share"] == largest]))
    return found


def _metrics(names: Sequence[str]) -> list[str]:
    """The metric of a task to draw; where it is known for single labels alone (`r2:age`), of the first 4 of them."""
    for one in METRICS:
        if one in names:
            return [one]
        single = [name for name in names if name.startswith(f"{one}:")]
        if single:
            return single[:LABELS]
    return [*names[:1]]


def _lines(widths: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Places of panels, line by line: (first place, number of the panel)."""
    lines: list[list[tuple[int, int]]] = [[]]
    start = 0
    for number, width in enumerate(widths):
        if start + width > ACROSS:
            lines.append([])
            start = 0
        lines[-1].append((start, number))
        start += width
    return lines
