"""Figures of genotype quality control: call rates, Hardy-Weinberg tests, principal components, kinship."""

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from contigwas.plots import style
from contigwas.privacy.hexagons import TOO_FEW, hexagons, span
from contigwas.privacy.small_counts import LARGE, MIN_COUNT, SMALL, suppress_small_counts
from contigwas.runtime.atomic_files import PathLike
from contigwas.samples.cohort import read_cohort
from contigwas.tables.text import require

log = logging.getLogger(__name__)

DEGREES = {"duplicates": 0.354, "first degree": 0.177, "second degree": 0.0884, "third degree": 0.0442}
STEPS = 400  # points of a quantile curve
INSIDE = "in the cohort"
BARS = (60, 30, 15)  # of the kinship histogram: the first with five pairs per bar on average
EXCLUDED_COLORS = [style.PALETTE[place] for place in (1, 2, 3, 6, 5)]  # colours other than blue
PER_HEXAGON = 4  # samples on average


def plot_call_rate(
    variants: Sequence[PathLike], samples: PathLike, settings: Mapping[str, float], outputs: Sequence[PathLike]
) -> Figure:
    """Draw the cumulative distributions of missing calls of variants and samples, with the thresholds of `settings`.

    Points of the curve of samples are means over at least five samples, and small counts of samples are hidden.
    """
    rates = [np.concatenate([_column(path, "call_rate") for path in variants]), _column(samples, "call_rate")]
    minimum = [settings["call_rate"], settings["sample_call_rate"]]
    with style.applied():
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        axes = figure.subplots(1, 2)
        for axis, values, limit, what, group in zip(
            axes, rates, minimum, ("variants", "samples"), (1, MIN_COUNT), strict=True
        ):
            missing, share = _curve(1 - values[~np.isnan(values)], group)
            axis.step([0, *missing], [0, *share], where="post", color=style.DARK, linewidth=1.6)
            axis.axvline(1 - limit, color=style.HIT, linewidth=1, linestyle=(0, (4, 2)))
            top = max(1.15 * (1 - limit), np.interp(0.999, share, missing) if missing.size else 0, 0.002)
            axis.set(xlim=(0, top), ylim=(0, 1.02), xlabel="share of calls missing", ylabel=f"share of {what}")
            out = int((values < limit).sum())
            number = f"{out:,}" if group == 1 else _format_count(suppress_small_counts([out, values.size - out])[0])
            axis.set_title(f"{values.size:,} {what}", fontweight="bold")
            text = f"{number} above\nthe threshold"
            axis.text(0.98 * (1 - limit), 0.06, text, transform=axis.get_xaxis_transform(), ha="right", color=style.HIT)
        style.save(figure, outputs)
    return figure


def plot_hwe(variants: Sequence[PathLike], min_p: float, outputs: Sequence[PathLike]) -> Figure:
    """Draw observed against expected -log10 p of exact Hardy-Weinberg tests of variants that pass the other checks."""
    p = np.concatenate([_tested(path) for path in variants])
    p = np.sort(p[~np.isnan(p)])
    with style.applied():
        figure = Figure(figsize=(3.9, 3.4), layout="constrained")
        axis = figure.subplots()
        axis.set(xlabel="expected -log₁₀ p", ylabel="observed -log₁₀ p")
        axis.set_title("Hardy-Weinberg", fontweight="bold")
        if not p.size:
            style.say(axis, "no variant was tested")
        else:
            ranks = np.unique(np.geomspace(1, p.size, STEPS).astype(int))
            expected = -np.log10((ranks - 0.5) / p.size)
            observed = -np.log10(np.maximum(p[ranks - 1], 1e-300))
            top = 1.6 * max(expected[0], -np.log10(min_p) if min_p > 0 else 0)
            above = observed > top
            axis.plot([0, expected[0]], [0, expected[0]], color=style.MUTED, linewidth=0.8)
            axis.plot(expected, np.minimum(observed, top), "o", markersize=2.6, color=style.DARK, clip_on=False)
            axis.plot(expected[above], np.full(above.sum(), top), "^", markersize=4, color=style.HIT, clip_on=False)
            axis.set(xlim=(0, None), ylim=(0, top))
            if min_p > 0:
                axis.axhline(-np.log10(min_p), color=style.HIT, linewidth=1, linestyle=(0, (4, 2)))
            text = f"{(p < min_p).sum():,} of {p.size:,} variants below {style.p_text(min_p)}" if min_p > 0 else ""
            axis.text(0.98, 0.03, text, transform=axis.transAxes, ha="right", va="bottom", color=style.HIT)
        style.save(figure, outputs)
    return figure


def plot_pcs(
    pcs: PathLike, cohort: PathLike | None, outputs: Sequence[PathLike], groups: pd.Series | None = None
) -> Figure:
    """Draw components 1 and 2 and, if present, 3 and 4, coloured by exclusion or by `groups` (by IID).

    `cohort` is cohort.tsv with the reasons of exclusion. A hexagon holds at least 5 samples of one group; groups
    without a hexagon are left out. Groups are not counted, because together with the cohort flow this could disclose
    small counts.
    """
    table = pd.read_parquet(require(pcs, "the components")).astype({"iid": str}).set_index("iid")
    if groups is None:
        exclusion = read_cohort(cohort).set_index("iid")["exclusion"]
        groups = exclusion.reindex(table.index).fillna("").replace("", INSIDE)
    groups = groups.reindex(table.index)
    table, groups = table[table.notna().all(axis=1)], groups[table.notna().all(axis=1)]
    pairs = [(f"PC{one}", f"PC{one + 1}") for one in (1, 3) if f"PC{one + 1}" in table.columns]
    with style.applied():
        figure = Figure(figsize=(1.6 + 3.2 * max(1, len(pairs)), 3.2), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, max(1, len(pairs))))
        if not pairs:
            style.say(axes[0], "fewer than two components")
            axes[0].set_axis_off()
        drawn: dict[str, str] = {}
        for axis, pair in zip(axes, pairs, strict=False):
            drawn |= _draw_groups(axis, table[[*pair]].to_numpy(float), groups)
            axis.set(xlabel=pair[0], ylabel=pair[1])
        if pairs:
            axes[0].set_title("Genetic principal components", fontweight="bold")
            marker = {"marker": "h", "linestyle": "", "markersize": 7}
            handles = [
                Line2D([], [], color=drawn[name], label=name, **marker) for name in _order(groups) if name in drawn
            ]
            figure.legend(handles=handles, loc="outside right upper", handletextpad=0.2)
        style.save(figure, outputs)
    return figure


def plot_kinship(kinship: PathLike, limit: float, samples: int, outputs: Sequence[PathLike]) -> Figure:
    """Draw the histogram of kinship of related pairs among `samples`, with the bounds of the degrees.

    Bars of one to four pairs are pale and have the same height, and the title then gives only a lower bound of the
    number of pairs.
    """
    values = pd.read_parquet(require(kinship, "the table of relatives"))["kinship"].to_numpy()
    with style.applied():
        figure = Figure(figsize=(5.2, 3.0), layout="constrained")
        axis = figure.subplots()
        low = np.floor(100 * min([limit, *values])) / 100 if (values < limit).any() else limit
        for bars in BARS:
            edges = np.linspace(min(low, 0.45), 0.51, bars + 1)
            counts, _ = np.histogram(np.minimum(values, 0.51), edges)
            few = (counts > 0) & (counts < MIN_COUNT)
            lower_bound = counts[~few].sum() + few.sum()  # each pale bar has at least one pair
            if lower_bound >= MIN_COUNT * bars:
                break
        counts = np.where(few, MIN_COUNT - 1, counts)
        for shown, color in ((~few, style.DARK), (few, style.LIGHT)):
            axis.bar(edges[:-1][shown], counts[shown], np.diff(edges)[shown], align="edge", color=color)
        number = f"at least {lower_bound:,}" if few.any() else f"{lower_bound:,}"
        if few.any():
            axis.bar(0, 0, color=style.LIGHT, label=f"1 to {MIN_COUNT - 1} pairs")
            axis.legend(loc="upper left", bbox_to_anchor=(1, 1), handlelength=1)
        axis.set_title(f"{number} related pairs among {samples:,} samples", fontweight="bold")
        axis.set(xlabel="kinship (KING-robust)", ylabel="pairs", xlim=(edges[0], 0.515))
        if not values.size:
            style.say(axis, f"no pair above {limit:g}")
            axis.set_yticks([])
        elif counts.max() > 200:
            axis.set_yscale("log")
            axis.set_ylim(0.7, 3 * counts.max())
        else:
            axis.set_ylim(0, 1.25 * counts.max())
        upper = 0.515
        for name, bound in DEGREES.items():
            if bound > edges[0]:
                axis.axvline(bound, color=style.MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
            middle = (max(bound, edges[0]) + upper) / 2
            if upper - max(bound, edges[0]) > 0.03:
                axis.text(middle, 0.97, name.replace(" ", "\n"), transform=axis.get_xaxis_transform(), ha="center",
                          va="top", fontsize=7.5, color=style.MUTED)  # fmt: skip
            upper = bound
            if bound <= edges[0]:
                break
        style.save(figure, outputs)
    return figure


def _column(path: PathLike, name: str) -> np.ndarray:
    return pd.read_parquet(require(path, "a table of quality control"), columns=[name])[name].to_numpy(np.float64)


def _tested(path: PathLike) -> np.ndarray:
    """Return p-values of the variants that fail no other check."""
    table = pd.read_parquet(require(path, "the variants' quality control"), columns=["hwe_p", "reason"])
    return table.loc[table["reason"].isin(["", "hwe"]), "hwe_p"].to_numpy(np.float64)


def _curve(values: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """Return at most `STEPS` points of the distribution function of `values` (n,), each a mean of at least `group`."""
    ordered = np.sort(values)
    ends = np.unique(np.linspace(0, ordered.size, min(STEPS, ordered.size // group) + 1).astype(int))
    parts = [ordered[start:end] for start, end in pairwise(ends)]
    return np.array([part.mean() if group > 1 else part[-1] for part in parts]), ends[1:] / max(ordered.size, 1)


def _format_count(count: int | str) -> str:
    return (
        f"{count:,}" if isinstance(count, int) else count.replace(LARGE, "≥ ").replace(SMALL, f"fewer than {MIN_COUNT}")
    )


def _order(groups: pd.Series) -> list[str]:
    """Return the groups by decreasing size, so that small groups are drawn on top."""
    return [*groups.value_counts().index]


def _draw_groups(axis: Axes, places: np.ndarray, groups: pd.Series) -> dict[str, str]:
    """Draw hexagons by group, for the cohort darker with more samples, and return the colours of the drawn groups."""
    order = _order(groups)
    colors = [style.LIGHT, style.HIT, *EXCLUDED_COLORS] if order[:1] == [INSIDE] else [*style.PALETTE, style.INK]
    reach, drawn = span(places) if len(places) else np.zeros((2, 2)), {}
    for number, name in enumerate(order):
        own = places[(groups == name).to_numpy()]
        collection = hexagons(axis, own, reach, int(np.clip(np.sqrt(len(own) / PER_HEXAGON), 8, 60)), cmap="Blues")
        if collection is None:
            continue
        drawn[name] = colors[number % len(colors)]
        if name == INSIDE:
            collection.set_norm(LogNorm(1, max(collection.get_array().max(), 2 * MIN_COUNT)))
        else:
            collection.set_array(None)
            collection.set(facecolor=(drawn[name], 0.45), edgecolor=drawn[name], linewidth=0.6)
    if drawn:
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.ticklabel_format(style="sci", scilimits=(-2, 3))
    else:
        style.say(axis, TOO_FEW)
    return drawn


def plot_genotypes(
    variants: Sequence[PathLike],
    samples: PathLike,
    pcs: PathLike,
    kinship: PathLike,
    cohort: PathLike,
    settings: Mapping[str, float],
    outputs: Sequence[PathLike],
) -> None:
    """Draw all four figures to `outputs`, a PNG and a PDF each, in the order of this module.

    `settings` has `call_rate`, `sample_call_rate`, `hwe` and `max_kinship`.
    """
    pairs = [outputs[start : start + 2] for start in range(0, 8, 2)]
    plot_call_rate(variants, samples, settings, pairs[0])
    plot_hwe(variants, settings["hwe"], pairs[1])
    plot_pcs(pcs, cohort, pairs[2])
    kept = int(pd.read_parquet(samples, columns=["kept"])["kept"].sum())
    plot_kinship(kinship, settings["max_kinship"], kept, pairs[3])
    log.info("figures of %d files of variants and %d samples", len(variants), kept)
