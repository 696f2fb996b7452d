"""The panels of the evaluation's figure: each has a row a model, in the same order, and shows one thing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from contigwas.plots import style
from contigwas.plots.labels import shorten_middle

SMALL = 7
SPREAD = 0.6  # of a row's height that several marks of one model share


def loci(axis: Axes, table: pd.DataFrame) -> None:
    """Bars of loci that another model has and of those that none has; a tick at those of the model's own samples."""
    place = np.arange(len(table))
    counts = {name: pd.to_numeric(table[f"{name}_loci"], errors="coerce") for name in ("shared", "private")}
    shared, private = (one.fillna(0).astype(int) for one in counts.values())
    axis.barh(place, shared, height=0.55, color=style.DARK, label="shared")
    axis.barh(place, private, height=0.55, left=shared, color=style.LIGHT, label="private")
    for y, own, both, known in zip(place, table["loci"], shared + private, counts["shared"].notna(), strict=True):
        if own != both:
            axis.plot([own, own], [y - 0.4, y + 0.4], color=style.INK, linewidth=1.5, solid_capstyle="butt")
        text = str(both) if known else "NA"
        axis.annotate(text if known and own == both else f"{text} (own samples {own})", (max(own, both), y), (3, 0),
                      textcoords="offset points", va="center", fontsize=SMALL)  # fmt: skip
    axis.set_xlim(0, max(table["loci"].max(), (shared + private).max(), 1) * 1.5)
    equal = pd.to_numeric(table["common_sample_loci"], errors="coerce").notna().any()
    _title(axis, "Loci at common samples" if equal else "Loci", legend=True, counts=True)


def truth(axis: Axes, table: pd.DataFrame) -> None:
    """Planted variants found and false loci; a dotted line at all that are planted."""
    place, planted = np.arange(len(table)), int(table["planted"].max())
    for shift, name, color, label in (
        (-0.19, "planted_found", style.DARK, "planted found"),
        (0.19, "false_loci", style.HIT, "false loci"),
    ):
        axis.barh(place + shift, table[name], height=0.34, color=color, label=label)
        for y, count in zip(place + shift, table[name], strict=True):
            axis.annotate(str(count), (count, y), (3, 0), textcoords="offset points", va="center", fontsize=SMALL)
    axis.axvline(planted, color=style.MUTED, linestyle=":", linewidth=1)
    axis.set_xlim(0, max(planted, table["false_loci"].max(), 1) * 1.25)
    _title(axis, f"Truth: {planted} planted", legend=True, counts=True)


def calibration(axis: Axes, table: pd.DataFrame) -> None:
    """lambda of the loci's test with its interval."""
    axis.axvline(1, color=style.MUTED, linestyle=":", linewidth=1)
    _points(axis, np.arange(len(table)), *(table[name] for name in ("lambda", "lambda_low", "lambda_high")))
    _title(axis, "λ of the loci's test")


def heritability(axis: Axes, table: pd.DataFrame) -> None:
    """Mean over features of the variance that leads explain, in percent."""
    percent = 100 * table["h2_leads"].astype(float)
    axis.barh(np.arange(len(table)), percent.fillna(0), height=0.55, color=style.DARK)
    for y, value in enumerate(percent):
        text = "no lead" if np.isnan(value) else f"{value:.1f}"
        axis.annotate(text, (0 if np.isnan(value) else max(value, 0), y), (3, 0), textcoords="offset points",
                      va="center", fontsize=SMALL)  # fmt: skip
    top = percent.max()
    axis.set_xlim(min(0, percent.min() if np.isfinite(top) else 0), 1.25 * top if np.isfinite(top) and top > 0 else 1)
    _title(axis, "Variance of a feature by leads, %")


def retrieval(axis: Axes, table: pd.DataFrame, order: Sequence[str]) -> None:
    """How often an image finds its partner among the 10 nearest, one mark a contrast; a tick at chance."""
    table = table[table["way"].str.startswith(("image_to_", "view_to_"))]
    table = table[table["k"] == table["k"].max()].assign(
        to=lambda one: one["way"].str.partition("_to_")[2].replace("other", "another view")
    )
    _marked(axis, table, order, "to", "recall", chance="chance")
    axis.set_xlim(0, None)
    _title(axis, f"Partner among {int(table['k'].max())} nearest", legend=True)


def attributions(axis: Axes, table: pd.DataFrame, order: Sequence[str]) -> None:
    """Average precision of attributed SNPs with its interval, one mark a method; a tick at the share of positives.

    Of the first modality of the table where no model has SNPs.
    """
    found = [*table["modality"]]
    modality = "snps" if "snps" in found else found[0]
    table = table[table["modality"] == modality]
    _marked(axis, table, order, "method", "average_precision", chance="share", ends=("low", "high"))
    axis.set_xlim(0, None)
    _title(axis, f"Attributed {shorten_middle(modality)}: average precision", legend=True)


def downstream(axis: Axes, table: pd.DataFrame, order: Sequence[str], title: str) -> None:
    """One metric of one task, one mark an arm, with its interval."""
    _marked(axis, table, order, "arm", "value", ends=("low", "high"))
    _title(axis, title, legend=True)


def probes(axis: Axes, table: pd.DataFrame, order: Sequence[str]) -> None:
    """Held-out R2 of the simulated traits from the features, as a heat map."""
    grid = table.pivot(index="model", columns="latent", values="r2").reindex(order)[[*table["latent"].unique()]]
    colours = colormaps["Blues"].with_extremes(bad="white")
    axis.imshow(np.ma.masked_invalid(grid.to_numpy(float).clip(0, 1)), cmap=colours, vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(grid.shape[1]), [shorten_middle(str(name)) for name in grid.columns], rotation=35,
                    ha="right", rotation_mode="anchor", fontsize=SMALL)  # fmt: skip
    for (row, column), value in np.ndenumerate(grid.to_numpy(float)):
        text = "" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}"  # no -0.00
        axis.text(column, row, text, ha="center", va="center", fontsize=SMALL,
                  color="white" if value > 0.55 else style.INK)  # fmt: skip
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    _title(axis, "True traits from the features, R²")


def rows(axis: Axes, names: Sequence[str], samples: Sequence[int] | None) -> None:
    """Set the rows of a panel; names only where `samples` are given, which are written below them."""
    axis.set_ylim(len(names) - 0.5, -0.5)
    texts = [shorten_middle(str(name)) for name in names]
    if samples is not None:
        texts = [f"{text}\nn = {count:,}" for text, count in zip(texts, samples, strict=True)]
    axis.set_yticks(range(len(names)), texts if samples is not None else [""] * len(names), fontsize=SMALL)
    axis.tick_params(axis="x", labelsize=SMALL)
    for line in np.arange(1, len(names)) - 0.5:
        axis.axhline(line, color=style.FAINT, linewidth=0.6, zorder=0)


def _marked(
    axis: Axes,
    table: pd.DataFrame,
    order: Sequence[str],
    by: str,
    value: str,
    chance: str | None = None,
    ends: tuple[str, str] | None = None,
) -> None:
    """One mark a model and kind (column `by`), kinds side by side inside the row in colours of their own."""
    kinds = [*dict.fromkeys(table[by])]
    shifts = (np.arange(len(kinds)) - (len(kinds) - 1) / 2) * SPREAD / max(len(kinds), 2)
    for number, (kind, shift) in enumerate(zip(kinds, shifts, strict=True)):
        part = table[table[by] == kind].set_index("model").reindex(order)
        place, color = np.arange(len(order)) + shift, style.PALETTE[number % len(style.PALETTE)]
        low, high = (part[name] for name in ends) if ends else (part[value], part[value])
        _points(axis, place, part[value], low, high, color=color, label=shorten_middle(str(kind)))
        if chance:
            axis.plot(part[chance].astype(float), place, "|", color=style.MUTED, markersize=5, markeredgewidth=1.2)


def _points(
    axis: Axes,
    place: np.ndarray,
    value: pd.Series,
    low: pd.Series,
    high: pd.Series,
    color: str = style.DARK,
    label: str = "",
) -> None:
    value, low, high = (pd.to_numeric(one, errors="coerce").to_numpy(float) for one in (value, low, high))
    axis.hlines(place, low, high, color=color, linewidth=1.5)
    axis.plot(value, place, "o", color=color, markersize=3.5, label=label or None)


def _title(axis: Axes, title: str, legend: bool = False, counts: bool = False) -> None:
    """A title, and below it the legend in one line where there is room, in two or three where there is not."""
    handles, labels = axis.get_legend_handles_labels() if legend else ([], [])
    columns = 1 if max([len(one) for one in labels], default=0) > 16 else min(3, len(labels))
    lines = -(-len(labels) // columns) if labels else 0
    if not axis.images:
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=counts))
    axis.set_title(title, fontsize=8.5, pad=4 + 10 * lines)
    if labels:
        axis.legend(handles, labels, fontsize=6.5, loc="lower left", bbox_to_anchor=(-0.02, 0.98), ncols=columns,
                    borderaxespad=0, borderpad=0.2, handlelength=1, handletextpad=0.4, columnspacing=0.9,
                    labelspacing=0.2)  # fmt: skip
