"""The interactive Manhattan plot: a Bokeh figure without points, and those of every test, which the page puts in."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from bokeh.embed import json_item
from bokeh.models import BoxZoomTool, ColumnDataSource, FixedTicker, HoverTool, Range1d, Span, TapTool, WheelZoomTool
from bokeh.plotting import figure

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.plots.genome import Genome
from contigwas.plots.style import HeightScale, name_of_test
from contigwas.runtime.atomic_files import PathLike

HEIGHT = 380  # pixels
COLUMNS = ["x", "y", "place", "value", "feature", "beta", "colour"]
HELD, NEAR, OUTSIDE, UNKNOWN = range(4)  # what a locus is to a hit: in span and plot, in the plot, in the span, nothing
TOOLTIPS = [("position", "@place"), ("−log₁₀ p", "@value"), ("feature", "@feature"), ("beta", "@beta")]


@dataclass(frozen=True)
class Manhattan:
    """What the page needs: the figure and the points as JSON, the tests with their names, variants tested and hits."""

    plot: str
    points: str
    tests: Sequence[tuple[str, str]]
    tested: int
    hits: int


def manhattan(
    points: PathLike, loci: pd.DataFrame, name: str, p1: float, reach: float, planted: pd.DataFrame | None = None
) -> Manhattan:
    """The plot of a model, from points.parquet. A hit belongs to the locus of `loci` whose plot shows it.

    `reach` is how far a regional plot reaches (base pairs); `planted` (chrom, pos, latent) gets triangles.
    """
    table = pd.read_parquet(points).astype({"test": str, "chrom": str, "feature": str})
    notes = json.loads(pq.read_metadata(points).metadata[b"contigwas"])
    chromosomes = [chrom for chrom in notes["chromosomes"] if (table["chrom"] == chrom).any()]
    genome = Genome.of({chrom: table.loc[table["chrom"] == chrom, "pos"].to_numpy() for chrom in chromosomes})
    threshold = float(-np.log10(p1))
    tests = list(notes["tested"])
    data = {
        "chromosomes": genome.chromosomes,
        "first": [genome.first[one] for one in genome.chromosomes],
        "left": [genome.left[one] for one in genome.chromosomes],
        "extent": [genome.extent[one] for one in genome.chromosomes],
        "width": genome.width,
        "threshold": threshold,
        "planted": _planted(planted, genome),
        "tests": {one: _test(table[table["test"] == one], genome, loci, threshold, reach) for one in tests},
    }
    named = [(one, name_of_test(one)[0].upper() + name_of_test(one)[1:]) for one in tests]
    hits = int(table.loc[table["test"] == tests[0], "hit"].sum())
    return Manhattan(_figure(name, genome, threshold), _json(data), named, int(notes["tested"][tests[0]]), hits)


def _test(table: pd.DataFrame, genome: Genome, loci: pd.DataFrame, threshold: float, reach: float) -> dict[str, object]:
    """The points of one test: those below the threshold as binary columns, the hits with everything about them."""
    number = table["chrom"].map({chrom: k for k, chrom in enumerate(genome.chromosomes)}).to_numpy(dtype=np.int64)
    hit = table["hit"].to_numpy(dtype=bool)
    scale = HeightScale(float(table["log10p"].max()) if len(table) else 0.0, threshold)
    rest, hits = table[~hit], table[hit]
    single = rest["beta"].notna().any()
    locus, drawn = locus_of(hits, loci, reach)
    return {
        "limit": float(scale.forward(scale.limit())),
        "ticks": [[float(scale.forward(tick)), f"{tick:g}"] for tick in scale.ticks()] if scale.compressed else None,
        "note": scale.note,
        "feature": str(rest["feature"].iloc[0]) if len(rest) else "",
        "chrom": _binary(number[~hit], np.uint8),
        "pos": _binary(rest["pos"], np.int32),
        "y": _binary(rest["log10p"], np.float32),
        "beta": _binary(rest["beta"], np.float32) if single else None,
        "hits": {
            "chrom": number[hit].tolist(),
            "pos": hits["pos"].tolist(),
            "y": np.round(scale.forward(hits["log10p"].to_numpy(dtype=float)), 4).tolist(),
            "value": [f"{one:.2f}" for one in hits["log10p"]],
            "id": hits["id"].tolist(),
            "alleles": (hits["effect_allele"].astype(str) + "/" + hits["other_allele"].astype(str)).tolist(),
            "feature": hits["feature"].tolist(),
            "beta": ["" if np.isnan(one) else f"{one:.3g}" for one in hits["beta"]],
            "locus": locus.tolist(),
            "drawn": drawn.tolist(),
        },
    }


def locus_of(hits: pd.DataFrame, loci: pd.DataFrame, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The locus of each hit, 0 where none, and whether the regional plot of that locus shows it: int, bool (hits,).

    A plot shows what is within `reach` of its lead. Of loci whose plot shows the hit, those come first whose span holds
    it, then the nearest lead; where no plot does, the nearest lead whose span holds it.
    """
    found, rank, least = (np.zeros(len(hits), dtype=int), np.full(len(hits), UNKNOWN), np.full(len(hits), np.inf))
    positions = hits["pos"].to_numpy(dtype=np.int64)
    rows = {chrom: np.flatnonzero(hits["chrom"].to_numpy() == chrom) for chrom in hits["chrom"].unique()}
    columns = zip(*(loci[name] for name in ("locus", "chrom", "pos", "start", "end")), strict=True)
    for locus, chrom, lead, start, end in columns:
        here = rows.get(chromosome(chrom))
        if here is None:
            continue
        pos = positions[here]
        distance = np.abs(pos - lead)
        inside, near = (start <= pos) & (pos <= end), distance <= reach
        own = np.select([inside & near, near, inside], [HELD, NEAR, OUTSIDE], UNKNOWN)
        better = (own < rank[here]) | ((own == rank[here]) & (own < UNKNOWN) & (distance < least[here]))
        chosen = here[better]
        found[chosen], rank[chosen], least[chosen] = int(locus), own[better], distance[better]
    return found, rank <= NEAR


def _planted(planted: pd.DataFrame | None, genome: Genome) -> list[list[object]]:
    if planted is None:
        return []
    rows = zip(map(chromosome, planted["chrom"]), planted["pos"], planted["latent"].astype(str), strict=True)
    return [[float(genome.place(chrom, pos)), latent] for chrom, pos, latent in rows if chrom in genome.left]


def _figure(name: str, genome: Genome, threshold: float) -> str:
    """The empty figure as JSON. The page fills its sources (rest, hits, planted) and sets its colours."""
    room = 0.01 * genome.width
    plot = figure(
        name=f"plot-{name}",
        height=HEIGHT,
        sizing_mode="stretch_width",
        min_width=260,
        x_range=Range1d(-room, genome.width + room, bounds=(-room, genome.width + room)),
        y_range=Range1d(-0.5, threshold * 1.2),
        tools=[],
        toolbar_location=None,
        y_axis_label="−log₁₀ p",
        output_backend="canvas",
    )
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_font_size = plot.axis.major_label_text_font_size = "12px"
    plot.xgrid.visible = False
    plot.xaxis.ticker = FixedTicker(ticks=[])
    plot.xaxis.major_tick_line_color = None
    plot.axis.minor_tick_line_color = None
    plot.outline_line_color = plot.border_line_color = None
    plot.background_fill_color = plot.border_fill_color = None  # the page's own, light or dark
    sources = {"rest": COLUMNS, "hits": [*COLUMNS, "id", "alleles", "locus", "drawn"], "planted": ["x", "y", "latent"]}
    drawn = {}
    for kind, columns in sources.items():
        source = ColumnDataSource({column: [] for column in columns}, name=kind)
        mark = {"rest": ("circle", 4), "hits": ("circle", 6), "planted": ("triangle", 9)}[kind]
        style = {"fill_color": "colour" if kind == "rest" else "#d1495b", "line_color": None}
        drawn[kind] = plot.scatter(
            "x", "y", source=source, marker=mark[0], size=mark[1], name=f"glyph-{kind}", nonselection_alpha=1, **style
        )
    plot.add_layout(Span(location=threshold, dimension="width", line_dash="dashed", line_width=1, name="threshold"))
    plot.add_tools(
        BoxZoomTool(dimensions="width"),
        WheelZoomTool(dimensions="width", modifiers="ctrl"),
        TapTool(renderers=[drawn["hits"]]),
        HoverTool(renderers=[drawn["rest"]], tooltips=TOOLTIPS, limit=1),
        HoverTool(
            renderers=[drawn["hits"]],
            tooltips=[("variant", "@id"), ("alleles", "@alleles"), *TOOLTIPS, ("locus", "@locus")],
            limit=1,
        ),
        HoverTool(renderers=[drawn["planted"]], tooltips=[("planted variant of", "@latent")], limit=1),
    )
    return _json(json_item(plot, f"plot-{name}"))


def _binary(values: Sequence[float] | np.ndarray | pd.Series, kind: type) -> str:
    """Numbers as little-endian bytes in base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def _json(value: Mapping) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
