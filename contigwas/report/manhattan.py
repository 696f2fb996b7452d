"""Interactive Manhattan plot: an empty Bokeh figure, and the points of every test, which the page adds to it."""

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
# a hit is in the span and the regional plot of a locus, only in the plot, only in the span, or in neither
SPAN_AND_PLOT, PLOT_ONLY, SPAN_ONLY, NEITHER = range(4)
TOOLTIPS = [("position", "@place"), ("−log₁₀ p", "@value"), ("feature", "@feature"), ("beta", "@beta")]


@dataclass(frozen=True)
class Manhattan:
    """Data of the page: figure and points as JSON, tests with their names, numbers of tested variants and of hits."""

    plot: str
    points: str
    tests: Sequence[tuple[str, str]]
    tested: int
    hits: int


def manhattan(
    points: PathLike, loci: pd.DataFrame, name: str, p1: float, reach: float, planted: pd.DataFrame | None = None
) -> Manhattan:
    """Return the plot of a model from points.parquet. A hit is assigned to the locus whose regional plot shows it.

    `reach` is the half width of a regional plot in base pairs. Variants in `planted` (chrom, pos, latent) are marked by
    triangles.
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
    """Return the points of one test: binary columns of points below the threshold, and full records of the hits."""
    number = table["chrom"].map({chrom: k for k, chrom in enumerate(genome.chromosomes)}).to_numpy(dtype=np.int64)
    hit = table["hit"].to_numpy(dtype=bool)
    scale = HeightScale(float(table["log10p"].max()) if len(table) else 0.0, threshold)
    rest, hits = table[~hit], table[hit]
    single = rest["beta"].notna().any()
    locus, drawn = assign_loci(hits, loci, reach)
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


def assign_loci(hits: pd.DataFrame, loci: pd.DataFrame, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the locus of each hit (0 if none), and whether its regional plot shows the hit: int and bool (hits,).

    A plot shows variants within `reach` of its lead variant. Loci whose plot shows the hit are preferred, among these
    loci whose span includes it, among these the nearest lead variant. Without such a plot it is the nearest lead
    variant of a locus whose span includes the hit.
    """
    assigned, rank, nearest = np.zeros(len(hits), dtype=int), np.full(len(hits), NEITHER), np.full(len(hits), np.inf)
    positions = hits["pos"].to_numpy(dtype=np.int64)
    rows = {chrom: np.flatnonzero(hits["chrom"].to_numpy() == chrom) for chrom in hits["chrom"].unique()}
    columns = zip(*(loci[name] for name in ("locus", "chrom", "pos", "start", "end")), strict=True)
    for locus, chrom, lead, start, end in columns:
        of_chrom = rows.get(chromosome(chrom))
        if of_chrom is None:
            continue
        pos = positions[of_chrom]
        distance = np.abs(pos - lead)
        in_span, in_plot = (start <= pos) & (pos <= end), distance <= reach
        relation = np.select([in_span & in_plot, in_plot, in_span], [SPAN_AND_PLOT, PLOT_ONLY, SPAN_ONLY], NEITHER)
        closer = (relation == rank[of_chrom]) & (relation < NEITHER) & (distance < nearest[of_chrom])
        better = (relation < rank[of_chrom]) | closer
        chosen = of_chrom[better]
        assigned[chosen], rank[chosen], nearest[chosen] = int(locus), relation[better], distance[better]
    return assigned, rank <= PLOT_ONLY


def _planted(planted: pd.DataFrame | None, genome: Genome) -> list[list[object]]:
    if planted is None:
        return []
    rows = zip(map(chromosome, planted["chrom"]), planted["pos"], planted["latent"].astype(str), strict=True)
    return [[float(genome.place(chrom, pos)), latent] for chrom, pos, latent in rows if chrom in genome.left]


def _figure(name: str, genome: Genome, threshold: float) -> str:
    """Return the empty figure as JSON. The page fills its sources (rest, hits, planted) and sets the colours."""
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
    plot.background_fill_color = plot.border_fill_color = None  # transparent, for the light and the dark page
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
    """Return numbers as little-endian bytes in base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def _json(value: Mapping) -> str:
    """Return JSON that is safe inside a script element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
