"""What quality control saw of the genotypes: call rates, Hardy-Weinberg, components, relatives."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contigwas.files import PathLike, require
from contigwas.plots import style
from contigwas.samples.cohort import read_cohort

log = logging.getLogger(__name__)

DEGREES = {"duplicates": 0.354, "first degree": 0.177, "second degree": 0.0884, "third degree": 0.0442}
POINTS = 20_000  # people drawn at most, those who are out first
STEPS = 400  # points of a curve of quantiles


def plot_call_rate(
    variants: Sequence[PathLike], people: PathLike, settings: Mapping[str, float], outputs: Sequence[PathLike]
) -> Figure:
    """Draw how many variants and people miss how large a share of their calls; lines mark what `settings` ask for."""
    rates = [np.concatenate([_column(path, "call_rate") for path in variants]), _column(people, "call_rate")]
    least = [settings["call_rate"], settings["person_call_rate"]]
    with style.applied():
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        for axis, values, limit, what in zip(figure.subplots(1, 2), rates, least, ("variants", "people"), strict=True):
            missing = 1 - np.sort(values[~np.isnan(values)])[::-1]
            share = np.arange(1, missing.size + 1) / max(missing.size, 1)
            places = np.unique(np.linspace(0, missing.size - 1, STEPS).astype(int)) if missing.size else []
            axis.step([0, *missing[places]], [0, *share[places]], where="post", color=style.DARK, linewidth=1.6)
            axis.axvline(1 - limit, color=style.HIT, linewidth=1, linestyle=(0, (4, 2)))
            top = max(1.15 * (1 - limit), np.quantile(missing, 0.999) if missing.size else 0, 0.002)
            axis.set(xlim=(0, top), ylim=(0, 1.02), xlabel="share of calls missing", ylabel=f"share of {what}")
            out = int((values < limit).sum())
            axis.set_title(f"{values.size:,} {what}", fontweight="bold")
            told = f"{out:,} of them\nmiss more"
            axis.text(0.98 * (1 - limit), 0.06, told, transform=axis.get_xaxis_transform(), ha="right", color=style.HIT)
        style.save(figure, outputs)
    return figure


def plot_hwe(variants: Sequence[PathLike], least: float, outputs: Sequence[PathLike]) -> Figure:
    """Draw -log10 p of the exact Hardy-Weinberg tests, of variants that pass the other checks, against expectation."""
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
            top = 1.6 * max(expected[0], -np.log10(least) if least > 0 else 0)
            above = observed > top
            axis.plot([0, expected[0]], [0, expected[0]], color=style.MUTED, linewidth=0.8)
            axis.plot(expected, np.minimum(observed, top), "o", markersize=2.6, color=style.DARK, clip_on=False)
            axis.plot(expected[above], np.full(above.sum(), top), "^", markersize=4, color=style.HIT, clip_on=False)
            axis.set(xlim=(0, None), ylim=(0, top))
            if least > 0:
                axis.axhline(-np.log10(least), color=style.HIT, linewidth=1, linestyle=(0, (4, 2)))
            told = f"{(p < least).sum():,} of {p.size:,} variants below {style.p_text(least)}" if least > 0 else ""
            axis.text(0.98, 0.03, told, transform=axis.transAxes, ha="right", va="bottom", color=style.HIT)
        style.save(figure, outputs)
    return figure


def plot_pcs(
    pcs: PathLike, cohort: PathLike | None, outputs: Sequence[PathLike], groups: pd.Series | None = None
) -> Figure:
    """Draw components 1 and 2, and 3 and 4 where there are, by what became of each person, or by `groups` (by IID).

    `cohort` tells who is excluded and why. At most 20,000 people are drawn, the excluded ones first.
    """
    table = pd.read_parquet(require(pcs, "the components")).astype({"iid": str}).set_index("iid")
    if groups is None:
        known = read_cohort(cohort).set_index("iid")["excluded"]
        groups = known.reindex(table.index).fillna("").replace("", "in the cohort")
    groups = groups.reindex(table.index)
    table, groups = table[table.notna().all(axis=1)], groups[table.notna().all(axis=1)]
    if len(table) > POINTS:
        chosen = np.random.default_rng(0).permutation(len(table))
        chosen = chosen[np.argsort((groups == "in the cohort").to_numpy()[chosen], kind="stable")][:POINTS]
        table, groups = table.iloc[np.sort(chosen)], groups.iloc[np.sort(chosen)]
    pairs = [(f"PC{one}", f"PC{one + 1}") for one in (1, 3) if f"PC{one + 1}" in table.columns]
    with style.applied():
        figure = Figure(figsize=(1.6 + 3.2 * max(1, len(pairs)), 3.2), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, max(1, len(pairs))))
        if not pairs:
            style.say(axes[0], "fewer than two components")
            axes[0].set_axis_off()
        for axis, (first, second) in zip(axes, pairs, strict=False):
            _cloud(axis, table[first].to_numpy(), table[second].to_numpy(), groups)
            axis.set(xlabel=first, ylabel=second)
        if pairs:
            axes[0].set_title("Genetic components", fontweight="bold")
            handles, names = axes[0].get_legend_handles_labels()
            legend = figure.legend(handles, names, loc="outside right upper", markerscale=3, handletextpad=0.2)
            for handle in legend.legend_handles:
                handle.set_alpha(1)
        style.save(figure, outputs)
    return figure


def plot_kinship(kinship: PathLike, limit: float, people: int, outputs: Sequence[PathLike]) -> Figure:
    """Draw the pairs of relatives among `people` by their kinship, with the bounds of the degrees."""
    values = pd.read_parquet(require(kinship, "the table of relatives"))["kinship"].to_numpy()
    with style.applied():
        figure = Figure(figsize=(5.2, 3.0), layout="constrained")
        axis = figure.subplots()
        axis.set_title(f"{values.size:,} pairs of relatives among {people:,} people", fontweight="bold")
        low = min([limit, *values]) if values.size else limit
        edges = np.linspace(min(low, 0.45), 0.51, 61)
        counts, *_ = axis.hist(np.minimum(values, 0.51), edges, color=style.DARK)
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
    """p of the variants that fail nothing else."""
    table = pd.read_parquet(require(path, "the variants' quality control"), columns=["hwe_p", "reason"])
    return table.loc[table["reason"].isin(["", "hwe"]), "hwe_p"].to_numpy(np.float64)


def _cloud(axis: Axes, x: np.ndarray, y: np.ndarray, groups: pd.Series) -> None:
    """Points by group, the largest group first so that the others lie on it."""
    order = groups.value_counts().index
    colors = [style.LIGHT, style.HIT, *style.PALETTE] if order[0] == "in the cohort" else [*style.PALETTE, style.INK]
    for number, name in enumerate(order):
        here = (groups == name).to_numpy()
        axis.plot(x[here], y[here], "o", markersize=2.2, markeredgewidth=0, alpha=0.7, rasterized=True,
                  color=colors[number % len(colors)], label=f"{name} ({here.sum():,})")  # fmt: skip
    axis.ticklabel_format(style="sci", scilimits=(-2, 3))


def plot_genotypes(
    variants: Sequence[PathLike],
    people: PathLike,
    pcs: PathLike,
    kinship: PathLike,
    cohort: PathLike,
    settings: Mapping[str, float],
    outputs: Sequence[PathLike],
) -> None:
    """All four figures to `outputs`: a PNG and a PDF each, in the order of this module.

    `settings` has `call_rate`, `person_call_rate`, `hwe` and `max_kinship`.
    """
    pairs = [outputs[start : start + 2] for start in range(0, 8, 2)]
    plot_call_rate(variants, people, settings, pairs[0])
    plot_hwe(variants, settings["hwe"], pairs[1])
    plot_pcs(pcs, cohort, pairs[2])
    kept = int(pd.read_parquet(people, columns=["kept"])["kept"].sum())
    plot_kinship(kinship, settings["max_kinship"], kept, pairs[3])
    log.info("figures of %d files of variants and %d people", len(variants), kept)
