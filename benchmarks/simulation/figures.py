"""The two figures of the study: loci found by models and settings, and lambda under the null."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from contigwas.plots.style import FAINT, HIT, INK, MUTED, PALETTE, applied, save, say  # noqa: E402

NULL_TEST_SETS = {
    "aligned": "all samples,\naligned",
    "summed": "all samples,\nχ² summed",
    "heldout": "held-out\nfold",
    "insample": "training\nsamples",
    "head": "training,\nSNP head",
    "memorised_insample": "training,\nunregularised",
    "memorised_heldout": "held-out,\nunregularised",
}
WARNINGS = ("insample", "head", "memorised_insample")
LINES = {
    "latents": "simulated traits",
    "contig": "contig",
    "simclr": "simclr",
    "pixel_pca": "pixel_pca",
    "untrained": "untrained",
}
AXES = {
    "simulated samples": {"fewer_samples": "1,500", "centre": "3,000"},
    "heritability of a trait": {"less_heritable": "0.16", "centre": "0.30", "more_heritable": "0.51"},
    "strength of the nuisance": {"less_nuisance": "half", "centre": "as in the demo", "more_nuisance": "twice"},
}
JITTER = 0.12  # vertical range of the points of seeds, in rows


def draw_power(centre: pd.DataFrame, rows: pd.DataFrame, models: Mapping[str, str], outputs: Sequence[Path]) -> None:
    """Plot power: above, a point per model and seed in the centre; below, over samples, heritability and nuisance."""
    centre = centre[centre["way"].isin(["aligned", "as they are"])]
    order = [model for model in models if model in set(centre["model"])]
    with applied():
        figure = plt.figure(figsize=(7.6, 2.9 + 0.24 * len(order)), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=[0.24 * len(order) + 0.5, 2.4])
        _plot_models(above.subplots(), centre, order, models)
        for axis, (name, points) in zip(below.subplots(1, 3, sharey=True), AXES.items(), strict=True):
            _plot_over(axis, rows, name, points)
        handles = [plt.Line2D([], [], color=colour, marker="o", ms=4) for colour in PALETTE[: len(LINES)]]
        below.legend(handles, LINES.values(), loc="outside lower center", ncols=len(LINES))
        save(figure, outputs)
        plt.close(figure)


def _plot_models(axis: Axes, rows: pd.DataFrame, order: Sequence[str], models: Mapping[str, str]) -> None:
    for place, model in enumerate(order):
        part = rows[rows["model"] == model]
        share = part["found"] / part["planted"]
        axis.barh(place, share.mean(), color=FAINT, height=0.62)
        spread = np.linspace(-JITTER, JITTER, len(part)) if len(part) > 1 else [0.0]
        axis.plot(share, place + np.asarray(spread), "o", ms=3.5, color=PALETTE[0], alpha=0.8)
        false = int(part["false"].sum())
        text = f"{false} false of {part['loci'].sum()}"
        axis.text(1.03, place, text, va="center", color=HIT if false else MUTED)
    axis.set_yticks(range(len(order)), [models[model] for model in order])
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.xaxis.set_major_formatter("{x:.0%}")
    seeds = rows["seed"].nunique()
    axis.set_title(f"Planted loci found in {seeds} cohorts of the centre (points) and their mean")


def _plot_over(axis: Axes, rows: pd.DataFrame, name: str, points: Mapping[str, str]) -> None:
    points = {setting: tick for setting, tick in points.items() if setting in set(rows["setting"])}
    for model, colour in zip(LINES, PALETTE, strict=False):
        part = rows[(rows["model"] == model) & rows["way"].isin(["aligned", "as they are"])]
        shares = []
        for setting in points:
            of_setting = part[part["setting"] == setting]
            shares.append(of_setting["found"].sum() / of_setting["planted"].sum() if len(of_setting) else np.nan)
        axis.plot(range(len(points)), shares, "o-", ms=4, color=colour)
    axis.set_xticks(range(len(points)), points.values())
    axis.set_xlim(-0.3, len(points) - 0.7)
    axis.set_ylim(0, 1.04)
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.set_xlabel(name)


def draw_null(rows: pd.DataFrame, bounds: pd.DataFrame, outputs: Sequence[Path]) -> None:
    """Plot lambda of MANOVA of every null by tested samples, with mean ± 2 SE, over the range of the permutations."""
    with applied():
        figure, axis = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
        if not len(rows):
            say(axis, "no null has been run yet")
        for place, way in enumerate(NULL_TEST_SETS):
            values = rows.loc[rows["way"] == way, "lambda"].to_numpy() if len(rows) else np.empty(0)
            if not len(values):
                continue
            colour = HIT if way in WARNINGS else PALETTE[0]
            across = place - 0.12 + np.random.default_rng(place).uniform(-0.1, 0.1, len(values))
            axis.plot(across, values, "o", ms=3, color=colour, alpha=0.5)
            error = 2 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
            axis.errorbar(place + 0.16, values.mean(), error, fmt="s", ms=5, color=colour, capsize=4)
            axis.text(place + 0.24, values.mean(), f"{values.mean():.3f}", va="center", color=INK)
        if len(bounds):
            low, high = np.quantile(bounds["lambda"], [0.025, 0.975])
            axis.axhspan(low, high, color=FAINT, zorder=0, lw=0)
            text = f"95 % of {len(bounds)} permutations of the tested features"
            axis.text(len(NULL_TEST_SETS) - 0.5, low - 0.01, text, color=MUTED, ha="right", va="top")
        axis.axhline(1, color=MUTED, lw=0.8)
        axis.set_xticks(range(len(NULL_TEST_SETS)), NULL_TEST_SETS.values())
        axis.set_xlim(-0.5, len(NULL_TEST_SETS) - 0.5)
        axis.set_ylabel("λ of MANOVA")
        axis.set_title("Permuted images: single nulls (points) and their mean ± 2 SE")
        save(figure, outputs)
        plt.close(figure)
