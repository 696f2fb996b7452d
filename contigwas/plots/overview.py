"""Heat map of features by loci: -log10 p of each feature at the lead variants."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from contigwas.plots import style
from contigwas.plots.labels import fitting, measure, shorten_middle
from contigwas.plots.lead_variants import at_leads, read_leads
from contigwas.runtime.atomic_files import PathLike

log = logging.getLogger(__name__)
MAX_LOCI, MAX_FEATURES, MIN_FEATURES = 80, 64, 20
CELL = 0.16  # inches


def overview(
    gwas: Mapping[str, PathLike],
    loci: PathLike,
    settings: Mapping[str, object],
    outputs: Sequence[PathLike],
    title: str,
) -> Figure:
    """Draw features by loci to `outputs` (PNG, PDF) and return the figure.

    The colour is -log10 p of the feature at the lead variant; a dot marks p <= `settings["p1"]`. At most the 80
    strongest loci are shown. Of more than 64 features, the 20 to 64 with the smallest p are shown.
    """
    table = read_leads(loci)
    strongest = table.sort_values("log10p", ascending=False, kind="stable").index[:MAX_LOCI].sort_values()
    notes = [f"{len(table) - MAX_LOCI:,} weaker loci"] if len(table) > MAX_LOCI else []
    table = table.loc[strongest].reset_index(drop=True)
    values = at_leads(gwas, table, loci)
    threshold = -np.log10(float(settings["p1"]))
    if len(values) > MAX_FEATURES:
        highest = values.max(axis=1).fillna(-np.inf)
        shown = int(np.clip((highest >= threshold).sum(), MIN_FEATURES, MAX_FEATURES))
        notes.append(f"{len(values) - shown:,} features with larger p")
        values = values[values.index.isin(highest.nlargest(shown).index)]
    with style.applied():
        figure = _draw(values, table, threshold, title, f"not shown: {', '.join(notes)}" if notes else "")
        style.save(figure, outputs)
    log.info("overview of %d features at %d loci; %s", *values.shape, ", ".join(notes) or "all are shown")
    return figure


def _draw(values: pd.DataFrame, table: pd.DataFrame, threshold: float, title: str, note: str) -> Figure:
    names, rows = list(table["label"]), [shorten_middle(str(one)) for one in values.index]
    count, loci = values.shape
    if not values.size:
        figure = Figure(figsize=(5, 2))
        axis = figure.add_axes((0, 0, 1, 0.8))
        axis.set_axis_off()
        style.say(axis, "no locus to show" if not len(table) else "the GWAS has no feature")
        figure.text(0.02, 0.95, title, va="top", **fitting(title, 4.8, fontsize=11, fontweight="bold"))
        return figure
    left = 0.25 + max(measure(name, fontsize=7)[0] for name in rows)
    below = 0.3 + max(measure(name, fontsize=7)[0] for name in names)
    width, height = max(loci * CELL, 0.6), max(count * CELL, 0.6)
    total = (max(left + width + 1.1, 3.4), below + height + (0.6 if note else 0.4))
    figure = Figure(figsize=total)
    axis = figure.add_axes((left / total[0], below / total[1], width / total[0], height / total[1]))
    ceiling = max(min(float(np.nanmax(values, initial=0)), 3 * threshold), threshold)
    image = axis.imshow(values, cmap="Blues", vmin=0, vmax=ceiling, aspect="auto", interpolation="nearest")
    row, column = np.nonzero(values.to_numpy() >= threshold)
    axis.plot(column, row, "o", ms=2.4, mew=0, color=style.HIT, gid="significant")
    axis.set_xticks(range(loci), names, rotation=90, fontsize=7)
    axis.set_yticks(range(count), rows, fontsize=7)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    bar_height = min(height, 1.6)
    place = ((left + width + 0.12) / total[0], below / total[1], 0.09 / total[0], bar_height / total[1])
    capped = float(np.nanmax(values, initial=0)) > ceiling
    bar = figure.colorbar(image, cax=figure.add_axes(place), extend="max" if capped else "neither")
    bar.set_label("−log₁₀ p", fontsize=7)
    bar.ax.tick_params(labelsize=6.5, length=2)
    bar.outline.set_visible(False)
    font = fitting(title, total[0] - 0.2, fontsize=11, fontweight="bold")
    figure.text(0.1 / total[0], 1 - 0.08 / total[1], title, va="top", **font)
    if note:
        font = fitting(note, total[0] - 0.2, fontsize=7, color=style.MUTED)
        figure.text(0.1 / total[0], 1 - 0.3 / total[1], note, va="top", **font)
    return figure
