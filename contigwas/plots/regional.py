"""Regional plots: the variants around each lead, their linkage with it, and the genes there."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from tqdm import tqdm

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.reader import GenotypeFiles
from contigwas.loci.genes import read_genes
from contigwas.plots import gene_rows, style
from contigwas.plots.labels import fitting, shorten, shorten_middle
from contigwas.plots.lead_variants import read_leads
from contigwas.plots.recombination import inside, read_map
from contigwas.plots.region import Region, Regions
from contigwas.runtime.atomic_files import PathLike, replacing_folder, write_tsv

log = logging.getLogger(__name__)
MOST_LOCI = 30
WIDTH, LEFT, RIGHT, HEIGHT, TITLE, BOTTOM, BETWEEN = 7.0, 0.6, 0.6, 2.7, 0.82, 0.5, 0.1  # inches
# r2 from 0 to 1 in five steps: Okabe and Ito's colours, darkest where linkage is weak and hottest where it is strong.
STEPS = ("#4b5f8a", "#56b4e9", "#009e73", "#e69f00", "#d1495b")
INDEX = ["rank", "locus", "chrom", "pos", "lead_id", "log10p", "samples_r2", "name"]


def regional(
    gwas: Mapping[str, PathLike],
    loci: PathLike,
    genotype_files: GenotypeFiles,
    cohort: PathLike,
    settings: Mapping[str, object],
    folder: PathLike,
    title: str,
) -> pd.DataFrame:
    """Draw the 30 strongest loci into `folder`, a PNG and a PDF each, and index.tsv, which says which is which.

    `gwas` maps chromosomes to Parquet files, `genotype_files` are the genotypes that it tested, r2 is measured over the
    samples of `cohort` with gwas_included = 1 (20,000 of them at most). `settings`: test, regional_kb (to either side of
    the lead), genes and genes_build, recombination (path or None), build. Files are named by rank, locus and lead
    position. Returns the index: `rank locus chrom pos lead_id log10p samples_r2 name`. The folder is complete or absent.
    """
    leads = read_leads(loci)
    strongest = leads.sort_values("log10p", ascending=False, kind="stable").head(MOST_LOCI)
    strongest = strongest.assign(rank=np.arange(1, len(strongest) + 1))
    genes = read_genes(settings["genes"], settings["build"], settings["genes_build"]) if settings["genes"] else None
    files = {chromosome(chrom): path for chrom, path in gwas.items()}
    reach, test = float(settings["regional_kb"]) * 1000, str(settings["test"])
    rows = []
    with replacing_folder(folder) as temporary:
        progress = tqdm(total=len(strongest), desc="regions", disable=None)
        for chrom, here in strongest.groupby("chrom", sort=False):
            regions = Regions(chrom, files[chrom], genotype_files, cohort, str(settings["build"]), test)
            rates = read_map(settings["recombination"], chrom) if settings["recombination"] else None
            near = genes[genes["chrom"] == chrom] if genes is not None else None
            for _, lead in here.iterrows():
                region = regions.around(lead, loci, reach)
                name = f"{lead['rank']:02d}_locus{lead['locus']}_chr{chrom}_{lead['pos']}"
                outputs = [temporary / f"{name}.{suffix}" for suffix in ("png", "pdf")]
                draw(region, lead, near, rates, reach, test, str(settings["build"]), title, outputs)
                rows.append({**lead[INDEX[:6]].to_dict(), "samples_r2": region.samples, "name": name})
                progress.update()
        progress.close()
        index = pd.DataFrame(rows, columns=INDEX).sort_values("rank")
        write_tsv(index, Path(temporary, "index.tsv"))
    log.info("%d loci drawn, %d weaker ones not", len(index), len(leads) - len(index))
    return index


def draw(
    region: Region,
    lead: pd.Series,
    genes: pd.DataFrame | None,
    rates: pd.DataFrame | None,
    reach: float,
    test: str,
    build: str,
    title: str,
    outputs: list[Path],
) -> Figure:
    """Draw one region to `outputs` and return the figure.

    `lead` is its row of loci.tsv; `genes` and `rates` (of the chromosome) are None where there is no list or map.
    """
    inner, here = WIDTH - LEFT - RIGHT, int(lead["pos"])
    start, end = max(here - reach, 0), here + reach
    with style.applied():
        placed, left_out = (None, 0) if genes is None else gene_rows.arrange(genes, start, end, lead=here, width=inner)
        under = 0.0 if placed is None else gene_rows.height(placed) + BETWEEN
        total = TITLE + HEIGHT + under + BOTTOM
        figure = Figure(figsize=(WIDTH, total))
        box = (LEFT / WIDTH, (BOTTOM + under) / total, inner / WIDTH, HEIGHT / total)
        axis = figure.add_axes(box)
        axis.set_xlim(start / 1e6, end / 1e6)
        if rates is not None:
            _rates(figure, axis, rates, int(start), int(end))
        _variants(axis, region, lead, test)
        bottom = axis
        if placed is not None:
            axis.tick_params(labelbottom=False)
            bottom = figure.add_axes((box[0], BOTTOM / total, box[2], (under - BETWEEN) / total), sharex=axis)
            gene_rows.draw(bottom, placed, start / 1e6, (end - start) / 1e6 / inner)
            if not len(placed):
                style.say(bottom, "no gene here")
        bottom.xaxis.set_major_formatter("{x:g}")
        more = f"; {left_out} genes farther away are not shown" if left_out else ""
        bottom.set_xlabel(f"chromosome {lead['chrom']} (Mb, {build}){more}")
        _head(figure, axis, region, lead, test, title, total)
        style.save(figure, outputs)
    return figure


def _variants(axis: Axes, region: Region, lead: pd.Series, test: str) -> None:
    """The variants, those in stronger linkage on top, and the lead as a diamond with its id."""
    top = max(float(region.y.max()), float(lead["log10p"]))
    scale = style.HeightScale(top)
    scale.apply(axis)
    axis.set_ylim(0, scale.inverse(scale.forward(scale.top) * 1.13))
    order = np.argsort(np.nan_to_num(region.r2, nan=-1), kind="stable")
    order = order[order != region.lead]
    axis.scatter(
        region.pos[order] / 1e6,
        region.y[order],
        c=colours(region.r2[order]),
        s=13,
        linewidths=0.25,
        edgecolors="white",
        rasterized=True,
        zorder=3,
        gid="variants",
    )
    x, y = region.pos[region.lead] / 1e6, region.y[region.lead]
    axis.plot([x], [y], "D", ms=6, mew=0.8, mec=style.INK, mfc=style.HIT, zorder=5, gid="lead")
    axis.annotate(
        shorten(str(lead["lead_id"])),
        (x, y),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=7.5,
        zorder=6,
    )
    axis.set_ylabel(f"−log₁₀ p, {style.short_name(test)}{scale.note}")


def colours(r2: np.ndarray) -> np.ndarray:
    """The colour of each r2 (variants,): five steps, grey where it is not known."""
    step = np.clip(np.nan_to_num(r2, nan=0) * len(STEPS), 0, len(STEPS) - 1).astype(int)
    return np.where(np.isnan(r2), style.FAINT, np.array(STEPS)[step])


def _rates(figure: Figure, axis: Axes, rates: pd.DataFrame, start: int, end: int) -> None:
    """The recombination rate behind the points, on an axis of its own at the right."""
    other = axis.twinx()
    axis.set_zorder(other.get_zorder() + 1)
    axis.patch.set_visible(False)
    pos, rate = inside(rates, start, end)
    other.step(pos / 1e6, rate, where="post", color="#b9a3c9", linewidth=1.0, gid="recombination")
    other.set_ylim(0, max(20.0, 1.1 * float(rate.max(initial=0))))
    other.spines["right"].set_visible(True)
    other.set_ylabel("recombination rate (cM/Mb)", color="#7d6491")
    other.tick_params(axis="y", colors="#7d6491")


def _head(figure: Figure, axis: Axes, region: Region, lead: pd.Series, test: str, title: str, total: float) -> None:
    """Title, what is shown, the best feature's effect, and the legend of r2, one under another."""
    name = f"{title}, locus {lead['locus']}: {lead['label']}"
    lines = [(name, 0.08, {"fontsize": 10.5, "fontweight": "bold"})]
    text = f"{style.name_of_test(test)}, {len(region.pos):,} variants, p = {p_of(float(lead['log10p']))} at the lead"
    lines.append((text + effect(lead), 0.29, {"fontsize": 7.5, "color": style.MUTED}))
    for line, y, font in lines:
        room = WIDTH - LEFT - 0.15
        figure.text(LEFT / WIDTH, 1 - y / total, line, va="top", ha="left", **fitting(line, room, **font))
    marks = [
        Line2D([], [], marker="o", ls="", ms=5, mew=0, color=color, label=f"{low / 5:.1f} to {(low + 1) / 5:.1f}")
        for low, color in enumerate(STEPS)
    ]
    if np.isnan(region.r2).any():
        marks.append(Line2D([], [], marker="o", ls="", ms=5, mew=0, color=style.FAINT, label="unknown"))
    figure.text(
        LEFT / WIDTH, 1 - 0.51 / total, f"r² with the lead, {region.samples:,} samples:", va="top", fontsize=7.5
    )
    axis.legend(
        handles=marks,
        loc="upper right",
        bbox_to_anchor=(0.985, 1 - 0.43 / total, 0, 0),
        bbox_transform=figure.transFigure,
        ncols=len(marks),
        fontsize=7.5,
        columnspacing=1.0,
        handletextpad=0.1,
        borderaxespad=0.4,
    )


def effect(lead: pd.Series) -> str:
    """The best feature and its effect, for the subtitle; empty where the table has none.

    >>> effect(pd.Series({"best_feature": "PC3", "beta": -0.21, "se": 0.03, "effect_allele": "A"}))
    '; PC3: β = −0.21 (SE 0.03) per A'
    """
    if not lead.get("best_feature") or pd.isna(lead.get("best_feature")) or pd.isna(lead["beta"]):
        return ""
    beta = f"{lead['beta']:.3g}".replace("-", "−")
    feature, allele = shorten_middle(str(lead["best_feature"])), shorten(str(lead["effect_allele"]))
    return f"; {feature}: β = {beta} (SE {lead['se']:.2g}) per {allele}"


def p_of(log10p: float) -> str:
    """A p-value in words from its -log10, below what a float64 can hold too.

    >>> p_of(400.3), p_of(2.0)
    ('5.0 × 10⁻⁴⁰¹', '0.01')
    """
    if log10p < 3:
        return f"{10**-log10p:.2g}"
    power = int(np.ceil(log10p - 1e-9))
    mantissa = f"{10 ** (power - log10p):.1f}"
    raised = str(-power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{raised}"
