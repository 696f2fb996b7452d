"""Figure of the model comparison: panels side by side with one row per model. Panels without data are left out."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contigwas.evaluate import panels
from contigwas.plots import style
from contigwas.runtime.atomic_files import PathLike

PANELS_PER_ROW = 4
WIDE = 8  # with more simulated traits, their heat map has double width
WIDTH, TITLE, ROW = 2.7, 0.95, 0.3  # inches: width of a panel, its title and axis, one model
MAX_LABELS = 4  # shown for a task that has scores of single labels only
# the first available metric of a task is shown; downstream.tsv has all of them
METRICS = ("kappa", "auroc", "r2", "dice", "balanced_accuracy", "accuracy", "stability")


def draw(tables: Mapping[str, pd.DataFrame], outputs: Sequence[PathLike]) -> Figure:
    """Draw the tables of `evaluate` that have data, and return the figure."""
    models = tables["models"]
    order = [*models["model"]]
    with style.applied():
        shown = _select_panels(tables, order)
        lines = _arrange([width for width, _ in shown])
        height = len(lines) * (TITLE + ROW * max(len(order), 2))
        figure = Figure(figsize=(1.0 + WIDTH * PANELS_PER_ROW, height), layout="constrained")
        grid = figure.add_gridspec(len(lines), PANELS_PER_ROW)
        for line, places in enumerate(lines):
            for start, number in places:
                width, plot = shown[number]
                axis = figure.add_subplot(grid[line, start : start + width])
                plot(axis)
                panels.rows(axis, order, [*models["n_samples"]] if start == 0 else None)
        style.save(figure, outputs)
    return figure


def _select_panels(
    tables: Mapping[str, pd.DataFrame], order: Sequence[str]
) -> list[tuple[int, Callable[[Axes], None]]]:
    """Return the panels with data: the width in columns, and the function that plots the panel."""
    models = tables["models"]
    plain = [
        panels.loci,
        *([panels.ground_truth] if "planted" in models else []),
        panels.calibration,
        panels.heritability,
    ]
    shown = [(1, partial(plot, table=models)) for plot in plain]
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
    """Return a title and scores for each task and metric shown: all arms (no differences) at the largest share."""
    panels_of_tasks = []
    for task, part in scores.groupby("task", sort=False):
        part = part[~part["arm"].str.contains(" - ", regex=False)]
        for metric in _select_metrics([*part["metric"].astype(str).unique()]):
            rows = part[part["metric"] == metric]
            largest = rows.groupby(["model", "arm"])["share"].transform("max")
            panels_of_tasks.append((f"{task}: {metric.replace(':', ' ')}", rows[rows["share"] == largest]))
    return panels_of_tasks


def _select_metrics(names: Sequence[str]) -> list[str]:
    """Return the metric to show, or, if it exists for single labels only (`r2:age`), those of the first 4 labels."""
    for one in METRICS:
        if one in names:
            return [one]
        single = [name for name in names if name.startswith(f"{one}:")]
        if single:
            return single[:MAX_LABELS]
    return [*names[:1]]


def _arrange(widths: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Return the panels of each line of the figure as (first column, number of the panel)."""
    lines: list[list[tuple[int, int]]] = [[]]
    start = 0
    for number, width in enumerate(widths):
        if start + width > PANELS_PER_ROW:
            lines.append([])
            start = 0
        lines[-1].append((start, number))
        start += width
    return lines
