"""The Manhattan plot: of a model's omnibus test, or of one feature."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.plots import style
from contigwas.plots.genome import Genome
from contigwas.plots.labels import fitting, measure, place
from contigwas.plots.lead_variants import read_leads
from contigwas.plots.manhattan_points import extent, points
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)
WIDTH, LEFT, RIGHT, HEIGHT, BOTTOM, TITLE = 10.0, 0.62, 0.2, 3.1, 0.58, 0.5  # inches
LEADER = 0.3  # inches between the axes and their labels
CELLS = (int((WIDTH - LEFT - RIGHT) * 100), int(HEIGHT * 100))  # a cell is two pixels wide and high


def manhattan(
    gwas: Mapping[str, PathLike],
    loci: PathLike,
    settings: Mapping[str, object],
    outputs: Sequence[PathLike],
    title: str,
    truth: PathLike | pd.DataFrame | None = None,
) -> Figure:
    """Draw -log10 p of `settings["test"]` along the genome to `outputs` (PNG, PDF: the points are pixels in both).

    `gwas` maps chromosomes to Parquet files, in the order of the axis; `loci` is loci.tsv, whose lead variants are
    labelled with their nearest gene, or their id where there is none; `settings`: test and p1. `truth` (chrom pos
    latent, and kind where only rows `planted` are meant) adds triangles under the axis. Dense points are thinned
    to what a pixel shows, but every variant at or below p1 is drawn. Returns the figure.
    """
    leads = read_leads(loci)
    unknown = sorted(set(leads["chrom"]) - {chromosome(one) for one in gwas})
    if unknown:
        raise UserError(
            f"{loci} has loci on chromosome {', '.join(unknown)}, of which no GWAS is drawn: run loci again"
        )
    return draw(gwas, leads, str(settings["test"]), float(settings["p1"]), outputs, title, truth=truth)


def draw(
    gwas: Mapping[str, PathLike],
    leads: pd.DataFrame,
    test: str,
    p1: float,
    outputs: Sequence[PathLike],
    title: str,
    detail: str = "",
    tested: int = 0,
    truth: PathLike | pd.DataFrame | None = None,
) -> Figure:
    """Draw one Manhattan plot of `test` (an omnibus test or a feature) as `manhattan` does.

    `leads` (chrom pos log10p label) are marked and labelled; `detail` is a part of the subtitle. `tested`
    is how many variants had a p-value, which may be more than the files hold where weak effects are not stored.
    """
    threshold = float(-np.log10(p1))
    gwas = {chromosome(chrom): path for chrom, path in gwas.items()}
    extents = {chrom: extent(path, test) for chrom, path in gwas.items()}
    genome = Genome.of({chrom: one.ends for chrom, one in extents.items()})
    leads = leads[leads["chrom"].isin(genome.chromosomes)]
    leads = leads.assign(x=[float(genome.place(*one)) for one in zip(leads["chrom"], leads["pos"], strict=True)])
    scale = style.HeightScale(max((one.top for one in extents.values()), default=0.0), threshold)
    planted = planted_on(truth, genome)
    with style.applied():
        inner = WIDTH - LEFT - RIGHT
        font = {"fontsize": 7, "fontstyle": "normal"}
        labels = place(leads["label"], leads["x"] / genome.width * inner, leads["log10p"].to_numpy(), inner, **font)
        above = TITLE + (LEADER + labels.height if len(labels.number) else 0)
        below = BOTTOM + (0.27 if planted is not None and len(planted) else 0)
        total = below + HEIGHT + above
        figure = Figure(figsize=(WIDTH, total))
        axis = figure.add_axes((LEFT / WIDTH, below / total, inner / WIDTH, HEIGHT / total))
        scale.apply(axis)
        axis.set_xlim(-0.003 * genome.width, 1.003 * genome.width)
        drawn = 0
        for number, chrom in enumerate(genome.chromosomes):
            shown = points(gwas[chrom], test, chrom, genome, scale, threshold, extents[chrom].top, CELLS)
            drawn += draw_points(axis, *shown, style.LIGHT if number % 2 else style.DARK)
        axis.axhline(threshold, color=style.HIT, linestyle="--", linewidth=0.8, zorder=1)
        _lead_marks(axis, leads)
        _labels(axis, leads, labels, scale, inner, font)
        name_chromosomes(axis, genome, inner)
        if planted is not None and len(planted):
            _triangles(axis, planted, below)
        axis.set_ylabel(f"−log₁₀ p, {style.short_name(test)}{scale.note}")
        count = sum(one.count for one in extents.values())
        words = _subtitle(test, _variants(count, tested), detail, len(leads), len(labels.number), p1)
        _title(figure, axis, title, words, total)
        if not count:
            style.say(axis, "no variant was tested")
        style.save(figure, outputs)
    log.info("%s: %d of %d variants drawn, %d loci, %d labelled", test, drawn, count, len(leads), len(labels.number))
    return figure


def planted_on(truth: PathLike | pd.DataFrame | None, genome: Genome) -> pd.DataFrame | None:
    """x and latent of the planted variants on the axis."""
    if truth is None:
        return None
    table = (
        truth if isinstance(truth, pd.DataFrame) else read_table(truth, ["chrom", "pos", "latent"], "the ground truth")
    )
    if "kind" in table:
        table = table[table["kind"] == "planted"]
    chroms = [chromosome(one) for one in table["chrom"]]
    inside = np.array([one in genome.left for one in chroms], dtype=bool)
    if (~inside).any():
        log.warning("%d planted variants are on chromosomes that are not drawn", int((~inside).sum()))
    places = zip(chroms, table["pos"], table["latent"].astype(str), inside, strict=True)
    rows = [(float(genome.place(chrom, pos)), latent) for chrom, pos, latent, here in places if here]
    return pd.DataFrame(rows, columns=["x", "latent"])


def draw_points(axis: Axes, x: np.ndarray, y: np.ndarray, hit: np.ndarray, color: str) -> int:
    """Draw the variants of a chromosome in its colour, the hits in another; returns how many."""
    marks = {"mew": 0, "rasterized": True, "clip_on": False, "zorder": 2, "gid": "variants"}
    axis.plot(x[~hit], y[~hit], "o", ms=2.2, color=color, **marks)
    axis.plot(x[hit], y[hit], "o", ms=3.0, color=style.HIT, **marks)
    return len(x)


def _lead_marks(axis: Axes, leads: pd.DataFrame) -> None:
    axis.plot(
        leads["x"],
        leads["log10p"],
        "D",
        ms=4.2,
        mew=0.7,
        mec=style.INK,
        mfc=style.HIT,
        clip_on=False,
        zorder=4,
        gid="leads",
    )


def _labels(axis: Axes, leads: pd.DataFrame, labels, scale: style.HeightScale, inner: float, font: dict) -> None:
    """Write the labels above the axes, each with a thin line to its lead variant."""
    axes_height, (left, right) = scale.forward(scale.limit()), axis.get_xlim()
    for number, centre in zip(labels.number, labels.centre, strict=True):
        lead = leads.iloc[number]
        x = (lead["x"] - left) / (right - left)
        label_x, top = centre / inner, 1 + LEADER / HEIGHT
        line = Line2D(
            [label_x, label_x, x, x],
            [top - 0.015, top - 0.035, 1.0, scale.forward(lead["log10p"]) / axes_height],
            transform=axis.transAxes,
            color=style.MUTED,
            linewidth=0.5,
            alpha=0.65,
            clip_on=False,
            zorder=1.5,
        )
        axis.add_line(line)
        axis.text(
            label_x,
            top,
            lead["label"],
            transform=axis.transAxes,
            ha="center",
            va="bottom",
            rotation=90 if labels.upright else 0,
            gid="label",
            **font,
        )


def name_chromosomes(axis: Axes, genome: Genome, inner: float) -> None:
    """Chromosome names under their middles, as many as fit; megabases where there is one chromosome."""
    axis.tick_params(axis="x", length=0, pad=8)
    if len(genome.chromosomes) == 1:
        (chrom,) = genome.chromosomes
        first, extent = genome.first[chrom], genome.extent[chrom]
        step = _round_step(extent / 8)
        ticks = np.arange(np.ceil(first / step), np.floor((first + extent) / step) + 1) * step
        axis.set_xticks(genome.place(chrom, ticks), [f"{tick / 1e6:g}" for tick in ticks])
        axis.tick_params(axis="x", length=3)
        axis.set_xlabel(f"position on chromosome {chrom} (Mb)")
        return
    shown, end = [], -np.inf
    for chrom in genome.chromosomes:
        centre, half = genome.middle(chrom) / genome.width * inner, measure(chrom, fontsize=8)[0] / 2
        if centre - half > end + 0.03:
            shown.append(chrom)
            end = centre + half
    axis.set_xticks([genome.middle(chrom) for chrom in shown], shown)
    axis.set_xlabel("chromosome")


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `least`."""
    power = 10 ** np.floor(np.log10(least))
    return float(next(base * power for base in (1, 2, 5, 10) if base * power >= least * 0.999))


def _triangles(axis: Axes, planted: pd.DataFrame, below: float) -> None:
    """Triangles under the axis where variants were planted, coloured by the trait that they move."""
    transform = axis.get_xaxis_transform()
    for number, (latent, rows) in enumerate(planted.groupby("latent", sort=True)):
        color = style.PALETTE[number % len(style.PALETTE)]
        marks = {"color": color, "ms": 5, "mew": 0, "transform": transform, "clip_on": False, "zorder": 3}
        axis.plot(rows["x"], np.full(len(rows), -0.022), "^", label=latent, gid="planted", **marks)
    axis.legend(
        title="planted variants of",
        alignment="left",
        title_fontsize=7.5,
        fontsize=7.5,
        ncols=min(planted["latent"].nunique(), 8),
        loc="upper right",
        bbox_to_anchor=(1.0, -(BOTTOM - 0.22) / HEIGHT),
        handletextpad=0.1,
        columnspacing=1.0,
        borderaxespad=0,
    )


def _variants(stored: int, tested: int) -> str:
    return f"{stored:,} variants" if tested <= stored else f"{stored:,} of {tested:,} variants stored"


def _subtitle(test: str, variants: str, detail: str, loci: int, labelled: int, p1: float) -> str:
    limit = style.p_text(p1)
    found = f"{loci:,} {'locus' if loci == 1 else 'loci'} at p ≤ {limit}" if loci else f"no locus at p ≤ {limit}"
    if labelled < loci:
        found += f" (the {labelled} strongest are labelled)"
    return ", ".join(filter(None, [style.name_of_test(test), variants, detail, found]))


def _title(figure: Figure, axis: Axes, title: str, subtitle: str, total: float) -> None:
    left = axis.get_position().x0
    width = WIDTH - LEFT - RIGHT
    for text, y, font in (
        (title, 0.1, {"fontsize": 11, "fontweight": "bold"}),
        (subtitle, 0.3, {"fontsize": 8, "color": style.MUTED}),
    ):
        figure.text(left, 1 - y / total, text, va="top", ha="left", **fitting(text, width, **font))
