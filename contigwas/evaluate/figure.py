"""The figure of the evaluation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from contigwas.files import PathLike
from contigwas.plots import style


def draw(models: pd.DataFrame, probes: pd.DataFrame, outputs: Sequence[PathLike]) -> None:
    """Loci of each model as bars (found and false where the truth is known), probe R2 as a heat map beside them."""
    wide = not probes.empty
    height = 1.5 + 0.42 * len(models)
    with style.applied():
        figure = Figure(figsize=(10.5 if wide else 6, max(height, 2.6)), layout="constrained")
        axes = figure.subplots(1, 2 if wide else 1, squeeze=False, width_ratios=[1, 1.25] if wide else None)[0]
        _bars(axes[0], models)
        if wide:
            _heat(figure, axes[1], probes)
        style.save(figure, outputs)


def _bars(axis, models: pd.DataFrame) -> None:
    place = np.arange(len(models))
    if "planted_found" in models:
        axis.barh(place - 0.19, models["planted_found"], height=0.36, color=style.DARK, label="planted variants found")
        axis.barh(place + 0.19, models["false_loci"], height=0.36, color=style.HIT, label="false loci")
        planted = int(models["planted"].max())
        axis.axvline(planted, color=style.MUTED, linestyle=":", linewidth=1)
        axis.set_xlim(0, max(planted, models["false_loci"].max(), 1) * 1.12)
        for y, (found, false) in enumerate(zip(models["planted_found"], models["false_loci"], strict=True)):
            axis.text(found, y - 0.19, f" {found}", va="center", fontsize=8)
            axis.text(false, y + 0.19, f" {false}", va="center", fontsize=8)
        axis.set_xlabel(f"count (dotted: {planted} planted)")
        axis.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2)
    else:
        axis.barh(place, models["loci"], height=0.5, color=style.DARK)
        for y, count in enumerate(models["loci"]):
            axis.text(count, y, f" {count}", va="center", fontsize=8)
        axis.set_xlim(0, max(models["loci"].max(), 1) * 1.12)
        axis.set_xlabel("loci")
    labels = [
        f"{name}\nn = {people:,}, λ = {value:.2f}"
        for name, people, value in zip(models["model"], models["people"], models["lambda"], strict=True)
    ]
    axis.set_yticks(place, labels, fontsize=8)
    axis.invert_yaxis()


def _heat(figure: Figure, axis, probes: pd.DataFrame) -> None:
    table = probes.pivot(index="model", columns="latent", values="r2")
    table = table.loc[probes["model"].unique(), probes["latent"].unique()]
    image = axis.imshow(table.clip(0, 1), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(table.shape[1]), table.columns, rotation=30, ha="right", fontsize=8)
    axis.set_yticks(range(table.shape[0]), table.index, fontsize=8)
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        color = "white" if value > 0.55 else "black"
        axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=color)
    axis.set_title("true traits from the features, held-out R²", fontsize=9)
    figure.colorbar(image, ax=axis, shrink=0.8)
