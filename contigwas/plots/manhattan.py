"""The Manhattan plot of a model's omnibus test."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from contigwas.errors import UserError
from contigwas.files import PathLike, read_table
from contigwas.genotypes.reader import chromosome
from contigwas.loci.gwas_file import read_columns
from contigwas.plots import style
from contigwas.plots.genome import Genome, thin
from contigwas.plots.labels import measure, place, shorten

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
    test, threshold = str(settings["test"]), float(-np.log10(settings["p1"]))
    tested = {str(chrom): _tested(path, test) for chrom, path in gwas.items()}
    genome = Genome.of({chrom: table["pos"].to_numpy() for chrom, table in tested.items()})
    leads = _leads(loci, genome)
    top = max((float(table["y"].max()) for table in tested.values() if len(table)), default=0.0)
    scale = style.HeightScale(top, threshold)
    planted = _planted(truth, genome)
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
        drawn = _points(axis, tested, genome, scale, threshold)
        axis.axhline(threshold, color=style.HIT, linestyle="--", linewidth=0.8, zorder=1)
        _lead_marks(axis, leads, scale)
        _labels(axis, leads, labels, scale, inner, font)
        _chromosomes(axis, genome, inner)
        if planted is not None and len(planted):
            _triangles(axis, planted, below)
        axis.set_ylabel(f"−log₁₀ p, {style.TESTS.get(test, test)}{scale.note}")
        count = sum(map(len, tested.values()))
        _title(figure, axis, title, _subtitle(test, count, len(leads), len(labels.number), settings["p1"]), total)
        if not count:
            style.say(axis, "no variant was tested")
        style.save(figure, outputs)
    log.info("%d of %d variants drawn, %d loci, %d labelled", drawn, count, len(leads), len(labels.number))
    return figure


def _tested(path: PathLike, test: str) -> pd.DataFrame:
    """pos and y (-log10 p) of the variants with a p-value; an infinite one is drawn at the largest finite."""
    table = read_columns(path, ["pos", f"log10p_{test}"]).set_axis(["pos", "y"], axis=1).dropna()
    infinite = np.isinf(table["y"])
    if infinite.any():
        log.warning("%s: %d variants have an infinite -log10 p", path, int(infinite.sum()))
        table.loc[infinite, "y"] = table.loc[~infinite, "y"].max() if not infinite.all() else 300.0
    return table.astype({"y": np.float64})


def _leads(path: PathLike, genome: Genome) -> pd.DataFrame:
    """x, log10p and label of each locus."""
    loci = read_table(path, ["chrom", "pos", "lead_id", "log10p", "genes"], "the loci")
    chroms = [chromosome(one) for one in loci["chrom"]]
    unknown = sorted({one for one in chroms if one not in genome.left})
    if unknown:
        raise UserError(
            f"{path} has loci on chromosome {', '.join(unknown)}, of which no GWAS is drawn: run loci again"
        )
    x = [float(genome.place(chrom, pos)) for chrom, pos in zip(chroms, loci["pos"], strict=True)]
    genes = loci["genes"].fillna("").astype(str).str.split(r"[, ]", regex=True).str[0]
    label = [shorten(str(gene or name)) for gene, name in zip(genes, loci["lead_id"], strict=True)]
    log10p = pd.to_numeric(loci["log10p"]).to_numpy(float)
    return pd.DataFrame({"x": np.array(x, float), "log10p": log10p, "label": label})


def _planted(truth: PathLike | pd.DataFrame | None, genome: Genome) -> pd.DataFrame | None:
    """x and latent of the planted variants on the axis."""
    if truth is None:
        return None
    table = truth if isinstance(truth, pd.DataFrame) else read_table(truth, ["chrom", "pos", "latent"], "the truth")
    if "kind" in table:
        table = table[table["kind"] == "planted"]
    chroms = [chromosome(one) for one in table["chrom"]]
    inside = np.array([one in genome.left for one in chroms], dtype=bool)
    if (~inside).any():
        log.warning("%d planted variants are on chromosomes that are not drawn", int((~inside).sum()))
    places = zip(chroms, table["pos"], table["latent"].astype(str), inside, strict=True)
    rows = [(float(genome.place(chrom, pos)), latent) for chrom, pos, latent, here in places if here]
    return pd.DataFrame(rows, columns=["x", "latent"])


def _points(
    axis: Axes, tested: Mapping[str, pd.DataFrame], genome: Genome, scale: style.HeightScale, threshold: float
) -> int:
    """Draw the variants, in two colours by turns, those at or below p1 in a third; returns how many."""
    limit, drawn = scale.forward(scale.limit()), 0
    for number, chrom in enumerate(genome.chromosomes):
        x, y = genome.place(chrom, tested[chrom]["pos"]), tested[chrom]["y"].to_numpy()
        hit = y.astype(np.float32) >= np.float32(threshold)
        kept = thin(x / genome.width, scale.forward(y) / limit, hit, CELLS)
        for rows, color, size in (
            (kept[~hit[kept]], style.LIGHT if number % 2 else style.DARK, 2.2),
            (kept[hit[kept]], style.HIT, 3.0),
        ):
            axis.plot(
                x[rows],
                y[rows],
                "o",
                ms=size,
                mew=0,
                color=color,
                rasterized=True,
                clip_on=False,
                zorder=2,
                gid="variants",
            )
            drawn += len(rows)
    return drawn


def _lead_marks(axis: Axes, leads: pd.DataFrame, scale: style.HeightScale) -> None:
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


def _chromosomes(axis: Axes, genome: Genome, inner: float) -> None:
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


def _subtitle(test: str, variants: int, loci: int, labelled: int, p1: float) -> str:
    name, limit = style.TESTS.get(test, test), style.p_text(p1)
    found = f"{loci:,} {'locus' if loci == 1 else 'loci'} at p ≤ {limit}" if loci else f"no locus at p ≤ {limit}"
    if labelled < loci:
        found += f" (the {labelled} strongest are labelled)"
    return f"{name} over all features, {variants:,} variants, {found}"


def _title(figure: Figure, axis: Axes, title: str, subtitle: str, total: float) -> None:
    left = axis.get_position().x0
    figure.text(left, 1 - 0.1 / total, title, fontsize=11, fontweight="bold", va="top", ha="left")
    figure.text(left, 1 - 0.3 / total, subtitle, fontsize=8, color=style.MUTED, va="top", ha="left")
