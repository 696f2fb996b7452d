"""Attributions along the genome above the Manhattan plot, to compare the network with its GWAS."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.plots import style
from contigwas.plots.genome import Genome, thin
from contigwas.plots.labels import fitting, measure, place
from contigwas.plots.lead_variants import read_leads
from contigwas.plots.manhattan import draw_points, name_chromosomes, planted_on
from contigwas.plots.manhattan_points import extent, points
from contigwas.runtime.atomic_files import PathLike

log = logging.getLogger(__name__)
NAMES = {"integrated_gradients": "integrated gradients", "deeplift": "DeepLIFT"}
WIDTH, LEFT, RIGHT, TITLE, BOTTOM = 10.0, 0.86, 0.2, 0.62, 0.78  # inches
PANEL, MANHATTAN, BETWEEN, LEADER = 1.75, 2.1, 0.2, 0.16
CELLS = (int((WIDTH - LEFT - RIGHT) * 100), int(PANEL * 100))
MARKERS = ("o", "D", "s", "v", "P")  # markers of the modalities, by decreasing number of features
TOP = 20  # features per modality that are compared with the lead variants


def genome(
    features: PathLike,
    gwas: Mapping[str, PathLike],
    loci: PathLike,
    settings: Mapping[str, object],
    outputs: Sequence[PathLike],
    title: str,
    ground_truth: PathLike | None = None,
) -> Figure:
    """Draw the mean |attribution| of features with a position, one panel per method, above the Manhattan plot.

    `features` is features.parquet. `loci` is loci.tsv, whose lead variants are lines through all panels. `settings`:
    test, p1, and kb, the distance from a lead variant within which features are red. `ground_truth` adds triangles at
    simulated causal variants. Writes PNG and PDF, and returns the figure.
    """
    table, lead_variants, test = pd.read_parquet(features), read_leads(loci), str(settings["test"])
    gwas = {chromosome(chrom): path for chrom, path in gwas.items()}
    extents = {chrom: extent(path, test) for chrom, path in gwas.items()}
    placed = table[table["chrom"].isin(list(gwas))]
    axis_of = Genome.of(
        {
            chrom: np.concatenate([one.ends, placed.loc[placed["chrom"] == chrom, "pos"].to_numpy()])
            for chrom, one in extents.items()
        }
    )
    lead_variants = lead_variants[lead_variants["chrom"].isin(axis_of.chromosomes)]
    lead_variants = lead_variants.assign(
        x=[float(axis_of.place(*one)) for one in zip(lead_variants["chrom"], lead_variants["pos"], strict=True)]
    )
    placed = _near(_on_axis(placed, axis_of), lead_variants, float(settings["kb"]))
    planted = planted_on(ground_truth, axis_of)
    methods = [*dict.fromkeys(table["method"])]
    with style.applied():
        inner, font = WIDTH - LEFT - RIGHT, {"fontsize": 7}
        labels = place(
            lead_variants["label"],
            lead_variants["x"] / axis_of.width * inner,
            lead_variants["log10p"].to_numpy(),
            inner,
            **font,
        )
        above = TITLE + (LEADER + labels.height if len(labels.number) else 0)
        total = above + len(methods) * (PANEL + BETWEEN) + MANHATTAN + BOTTOM
        figure = Figure(figsize=(WIDTH, total))
        top = total - above
        for number, method in enumerate(methods):
            axis = _axes(figure, top - PANEL, PANEL, total, axis_of)
            _lead_lines(axis, lead_variants, BETWEEN / PANEL)
            _attributions(axis, placed[placed["method"] == method], method, axis_of, legend=number == 0)
            if number == 0:
                _labels(axis, lead_variants, labels, inner, font)
            top -= PANEL + BETWEEN
        axis = _axes(figure, top - MANHATTAN, MANHATTAN, total, axis_of)
        _lead_lines(axis, lead_variants, 0)
        _manhattan(axis, gwas, extents, test, float(-np.log10(float(settings["p1"]))), axis_of)
        name_chromosomes(axis, axis_of, inner)
        axis.tick_params(axis="x", pad=11)
        if planted is not None and len(planted):
            _triangles(axis, planted)
        _title(figure, title, lead_variants, settings, total)
        style.save(figure, outputs)
    log.info("%d of %d features have a genomic position; %d lead variants", len(placed), len(table), len(lead_variants))
    return figure


def _on_axis(table: pd.DataFrame, axis_of: Genome) -> pd.DataFrame:
    """Add the column `x`: the position on the common axis of all chromosomes."""
    x = np.empty(len(table))
    for chrom in table["chrom"].unique():
        part = (table["chrom"] == chrom).to_numpy()
        x[part] = axis_of.place(chrom, table["pos"].to_numpy()[part])
    return table.assign(x=x)


def _near(table: pd.DataFrame, lead_variants: pd.DataFrame, kb: float) -> pd.DataFrame:
    """Add the column `near`: whether a lead variant lies within `kb` thousand base pairs."""
    near = np.zeros(len(table), dtype=bool)
    for lead in lead_variants.itertuples(index=False):
        near |= ((table["chrom"] == lead.chrom) & ((table["pos"] - lead.pos).abs() <= 1000 * kb)).to_numpy()
    return table.assign(near=near)


def _axes(figure: Figure, bottom: float, height: float, total: float, axis_of: Genome) -> Axes:
    """Add axes over the genome at a height of `bottom` inches."""
    axis = figure.add_axes((LEFT / WIDTH, bottom / total, (WIDTH - LEFT - RIGHT) / WIDTH, height / total))
    axis.set_xlim(-0.003 * axis_of.width, 1.003 * axis_of.width)
    axis.set_xticks([])
    return axis


def _attributions(axis: Axes, table: pd.DataFrame, method: str, axis_of: Genome, legend: bool) -> None:
    """Draw one panel: the modality with the most features as grey points, the others as coloured markers."""
    axis.set_ylabel("mean |attribution|\n(nats)")
    axis.yaxis.set_major_locator(MaxNLocator(4))
    if table.empty:
        _name(axis, NAMES[method])
        style.say(axis, "no modality of this model has genomic positions")
        return
    limit = 1.25 * float(table["mean_abs"].max()) or 1.0
    axis.set_ylim(0, limit)
    order = table["modality"].value_counts(sort=True).index
    dark = {chrom: style.LIGHT if number % 2 else style.DARK for number, chrom in enumerate(axis_of.chromosomes)}
    handles = []
    for number, modality in enumerate(order):
        part = table[table["modality"] == modality]
        x, y, near = (part[column].to_numpy() for column in ("x", "mean_abs", "near"))
        kept = thin(x / axis_of.width, y / limit, near, CELLS)
        mark = {"marker": MARKERS[min(number, len(MARKERS) - 1)], "s": 6 if number == 0 else 12, "rasterized": True}
        mark |= {"linewidths": 0.6 if number else 0, "edgecolors": style.INK, "zorder": 2 + number, "clip_on": False}
        plain = part["chrom"].map(dark) if number == 0 else pd.Series(style.PALETTE[number], part.index)
        colors = np.where(near, style.HIT, plain)[kept]
        axis.scatter(x[kept], y[kept], c=colors, gid=modality, **mark)
        handles.append(axis.scatter([], [], c=plain.iloc[0], label=modality, **(mark | {"s": 14})))
    if legend:
        axis.legend(handles=handles, loc="upper right", ncols=len(handles), handletextpad=0.2, borderaxespad=0.1)
    _name(axis, NAMES[method], _share(table, order[0]))


def _share(table: pd.DataFrame, modality: str) -> str:
    """Return how many of the strongest features, and what share of all, are near a lead variant."""
    part = table[table["modality"] == modality]
    best = part.nlargest(TOP, "mean_abs")
    if not part["near"].any():
        return ""
    return (
        f"near a lead variant: {int(best['near'].sum())} of the {len(best)} strongest features of {modality}, "
        f"{100 * part['near'].mean():.0f} % of all {len(part):,}"
    )


def _manhattan(
    axis: Axes, gwas: Mapping[str, PathLike], extents: Mapping, test: str, threshold: float, axis_of: Genome
) -> None:
    """Draw the Manhattan plot of the GWAS test."""
    scale = style.HeightScale(max((one.top for one in extents.values()), default=0.0), threshold)
    scale.apply(axis)
    cells = CELLS[0], int(MANHATTAN * 100)
    for number, chrom in enumerate(axis_of.chromosomes):
        if extents[chrom].count:
            shown = points(gwas[chrom], test, chrom, axis_of, scale, threshold, extents[chrom].top, cells)
            draw_points(axis, *shown, style.LIGHT if number % 2 else style.DARK)
    axis.axhline(threshold, color=style.HIT, linestyle="--", linewidth=0.8, zorder=1)
    axis.set_ylabel(f"−log₁₀ p,\n{style.short_name(test)}{scale.note}")
    _name(axis, "GWAS")


def _name(axis: Axes, name: str, words: str = "") -> None:
    """Write the name of a panel in its upper left corner, on white, because lines of lead variants run behind it."""
    font = {"fontweight": "bold", "fontsize": 8.5}
    back = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
    place = {"transform": axis.transAxes, "va": "top", "bbox": back, "zorder": 6}
    axis.text(0.004, 0.97, name, **place, **font)
    left = 0.004 + (measure(name, **font)[0] + 0.1) / (WIDTH - LEFT - RIGHT)
    if words:
        axis.text(left, 0.965, words, fontsize=7.5, color=style.MUTED, **place)


def _lead_lines(axis: Axes, lead_variants: pd.DataFrame, down: float) -> None:
    """Draw thin lines at the lead variants, extended by `down` of the axes' height to the panel below."""
    for x in lead_variants["x"]:
        axis.plot([x, x], [-down, 1], transform=axis.get_xaxis_transform(), color=style.MUTED, linewidth=0.5,
                  alpha=0.6, clip_on=False, zorder=0.5, gid="lead")  # fmt: skip


def _labels(axis: Axes, lead_variants: pd.DataFrame, labels, inner: float, font: Mapping[str, object]) -> None:
    """Write the labels of the lead variants above the panel, with a line to each."""
    low, high = axis.get_xlim()
    for number, centre in zip(labels.number, labels.centre, strict=True):
        x, label = (lead_variants.iloc[number]["x"] - low) / (high - low), centre / inner
        line = Line2D([label, x], [1 + LEADER / PANEL, 1], transform=axis.transAxes, color=style.MUTED,
                      linewidth=0.5, alpha=0.65, clip_on=False)  # fmt: skip
        axis.add_line(line)
        axis.text(label, 1.01 + LEADER / PANEL, lead_variants.iloc[number]["label"], transform=axis.transAxes,
                  ha="center", va="bottom", rotation=90 if labels.upright else 0, gid="label", **font)  # fmt: skip


def _triangles(axis: Axes, planted: pd.DataFrame) -> None:
    """Draw triangles at the simulated causal variants below the Manhattan plot."""
    marks = {"color": style.PALETTE[1], "ms": 5, "mew": 0, "clip_on": False, "zorder": 3}
    axis.plot(planted["x"], np.full(len(planted), -0.035), "^", transform=axis.get_xaxis_transform(), gid="planted",
              label="planted variants", **marks)  # fmt: skip
    axis.legend(loc="upper right", bbox_to_anchor=(1.0, -0.16), handletextpad=0.1, borderaxespad=0)


def _title(
    figure: Figure, title: str, lead_variants: pd.DataFrame, settings: Mapping[str, object], total: float
) -> None:
    """Write the title and a line that explains the figure."""
    width = WIDTH - LEFT - RIGHT
    found = f"{len(lead_variants):,} {'locus' if len(lead_variants) == 1 else 'loci'}"
    words = f"attributions of the network, and its GWAS: {found} at p ≤ {style.p_text(float(settings['p1']))}"
    if len(lead_variants):
        words += f" (lines); red features lie within {float(settings['kb']):g} kb of a lead variant"
    for text, y, font in (
        (title, 0.1, {"fontsize": 11, "fontweight": "bold"}),
        (words, 0.32, {"fontsize": 8, "color": style.MUTED}),
    ):
        figure.text(LEFT / WIDTH, 1 - y / total, text, va="top", ha="left", **fitting(text, width, **font))
