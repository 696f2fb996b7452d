"""Attributions of single samples: the image with an attribution map, and the features with the strongest attributions.

The outputs show and name participants; they belong in results/private.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from torch import Tensor

from contigwas.explain.attribution import Attribution, integrated_gradients, relative_error
from contigwas.explain.explain import ExplainedNetwork, Files, ModalityContrast, shares
from contigwas.explain.feature_names import describe
from contigwas.explain.genome import NAMES
from contigwas.explain.network import at_once
from contigwas.explain.top import label
from contigwas.plots import style
from contigwas.plots.labels import fitting
from contigwas.plots.montage import shown
from contigwas.pretrain.determinism import deterministic
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_tsv
from contigwas.runtime.memory import enough_memory
from contigwas.samples.folds import stable_hash

log = logging.getLogger(__name__)
LISTED, SHOWN = 10, 6  # features with the highest and the lowest attributions, in the table and in the figure
WIDTH, ROWS, COLUMNS = 11.0, 3.4, 3  # inches; panels of features in a row


@dataclass(frozen=True)
class Sample:
    """The explanation of one sample.

    Attributes:
        iid: the sample.
        levels, map: the image in 0 … 1 and its attributions (channels, sizes …).
        error: the completeness error of the map, as a share of the difference of the losses.
        features: columns `iid fold method modality feature name chrom pos attribution`.
    """

    iid: str
    levels: np.ndarray
    map: np.ndarray
    error: float
    features: pd.DataFrame


def explain_samples(
    checkpoints: Sequence[PathLike],
    files: Files,
    settings: Mapping[str, object],
    output_features: PathLike,
    output_pages: PathLike,
) -> None:
    """Write a page per sample (PDF), and a table of the features that raise and lower the sample's loss the most.

    `settings` are those of `explain`, with `private`: the number of samples, which the networks share.
    """
    for path in (output_features, output_pages):
        private_folder(Path(path).parent)
    described = {name: describe(path) for name, path in files.modalities.items()}
    tables, errors = [], []
    with (
        deterministic(int(settings["math_threads"])),
        enough_memory("there is too little memory to explain samples: request more memory"),
        replacing(output_pages) as temporary,
        PdfPages(temporary, metadata={"CreationDate": None}) as pages,
        style.applied(),
    ):
        networks = zip(
            checkpoints, *(shares(settings[key], len(checkpoints)) for key in ("n_samples", "private")), strict=True
        )
        for checkpoint, count, n_pages in networks:
            opened = ExplainedNetwork.of(checkpoint, files, settings, count)
            if len(opened.selected.chosen) < n_pages:
                log.warning("fold %d: %d samples get a page, fewer than its share of %d of explain.private",
                            opened.network.fold, len(opened.selected.chosen), n_pages)  # fmt: skip
            for sample in _samples(opened, settings, described, n_pages):
                pages.savefig(draw(sample, settings["methods"][0]))
                tables.append(sample.features)
                errors.append(sample.error)
    write_tsv(pd.concat(tables, ignore_index=True), output_features)
    log.info("%d samples; completeness error of the image maps %.2g (maximum %.2g)", len(tables), np.mean(errors),
             np.max(errors))  # fmt: skip


def _samples(
    opened: ExplainedNetwork, settings: Mapping[str, object], described: Mapping[str, pd.DataFrame], count: int
) -> Iterator[Sample]:
    """Yield the explanations of the first samples of one network."""
    modalities = {name: ModalityContrast.of(opened, name, settings) for name in opened.files.modalities}
    for iid in opened.selected.chosen[:count]:
        available = {name: one for name, one in modalities.items() if iid in opened.selected.explained[name]}
        inputs, tables = {}, []
        for name, modality in available.items():
            samples = modality.samples([iid])
            inputs[name] = samples[0]
            for method in settings["methods"]:
                seed = stable_hash(f"{settings['seed']}:{iid}:{name}") % 2**32
                found = modality.attribute(method, samples, settings, seed)
                columns = modality.side.columns.numpy()
                present = columns >= 0
                chosen = described[name].iloc[columns[present]]
                table = _ends(chosen.assign(attribution=found.values[0].cpu().numpy()[present]))
                table.insert(0, "modality", name)
                table.insert(0, "method", method)
                tables.append(table)
        levels, found = _image(opened, iid, available, inputs, settings)
        features = pd.concat(tables, ignore_index=True)
        features.insert(0, "fold", opened.network.fold)
        features.insert(0, "iid", iid)
        error = float(relative_error(found.error, found.difference)[0])
        yield Sample(iid, levels[0].cpu().numpy(), found.values[0].cpu().numpy(), error, features)


def _ends(table: pd.DataFrame) -> pd.DataFrame:
    """Return the features with the highest and the lowest attributions, in decreasing order."""
    order = table.sort_values("attribution", ascending=False, kind="stable")
    return order if len(order) <= 2 * LISTED else pd.concat([order[:LISTED], order[-LISTED:]])


def _image(
    opened: ExplainedNetwork,
    iid: str,
    modalities: Mapping[str, ModalityContrast],
    inputs: Mapping[str, Tensor],
    settings: Mapping[str, object],
) -> tuple[Tensor, Attribution]:
    """Return a sample's image and the attributions of the mean loss over modalities to its pixels.

    The baseline is the mean colour of the training images.
    """
    network = opened.network
    scaler, trunk = network.trunk
    with torch.no_grad():
        genetics = {name: modalities[name].side.encoder(values) for name, values in inputs.items()}
    levels = opened.levels(iid)
    scaled = scaler(levels)

    def loss(features: Tensor, unused: Tensor) -> Tensor:
        losses = [
            modality.loss(genetics[name].expand(len(features), -1), network.heads[name](features))
            for name, modality in modalities.items()
        ]
        return torch.stack(losses).mean(dim=0)

    none = scaled.new_zeros((1, 1))
    rows = at_once(tuple(levels.shape[1:]), network.device, gradients=True)
    found = integrated_gradients(trunk, loss, scaled, torch.zeros_like(scaled), none, settings["steps"], rows)
    network.finite(found.values, "attributions")
    return levels, found


def draw(sample: Sample, method: str) -> Figure:
    """Draw a sample's image, its attribution map, and the highest and lowest attributions of each modality."""
    names = [*dict.fromkeys(sample.features["modality"])]
    rows = -(-len(names) // COLUMNS)
    size = WIDTH, 3.9 + ROWS * rows
    figure = Figure(figsize=size)
    upper = figure.add_gridspec(
        1, 2, left=0.05, right=0.82, top=1 - 0.7 / size[1], bottom=1 - 3.6 / size[1], wspace=0.1
    )
    lower = figure.add_gridspec(rows, COLUMNS, left=0.1, right=0.98, top=1 - 4.1 / size[1], bottom=0.5 / size[1],
                                wspace=0.95, hspace=0.3)  # fmt: skip
    photo, mapped = figure.add_subplot(upper[0]), figure.add_subplot(upper[1])
    picture, attributions = _slice(sample.levels, sample.map)
    _show(photo, picture, "image")
    grey = picture.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    _show(mapped, 0.6 + 0.4 * grey, f"attributions to the pixels (completeness error {100 * sample.error:.1g} %)")
    limit = float(np.quantile(np.abs(attributions), 0.99)) or 1.0
    image = mapped.imshow(attributions, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.75)
    bar = figure.colorbar(image, ax=mapped, fraction=0.04, pad=0.02)
    bar.set_label("lowers the loss  ←  →  raises it", fontsize=7)
    bar.ax.tick_params(labelsize=6)
    for number, name in enumerate(names):
        part = sample.features[(sample.features["modality"] == name) & (sample.features["method"] == method)]
        _bars(figure.add_subplot(lower[divmod(number, COLUMNS)]), part, name)
    fold = int(sample.features["fold"].iloc[0])
    title = f"{sample.iid}, network of fold {fold}: {NAMES[method]} of the contrastive loss"
    figure.text(
        0.02, 1 - 0.15 / size[1], title, va="top", **fitting(title, WIDTH - 0.4, fontsize=11, fontweight="bold")
    )
    return figure


def _slice(levels: np.ndarray, attributions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image (height, width, channels) and its map summed over channels.

    Of a volume, return the slice with the largest sum of |attribution|.
    """
    picture, summed = np.moveaxis(levels, 0, -1), attributions.sum(axis=0)
    if summed.ndim == 3:
        strongest = int(np.abs(summed).sum(axis=(1, 2)).argmax())
        return shown(picture[strongest : strongest + 1]), shown(summed[strongest : strongest + 1, ..., None])[..., 0]
    return picture, summed


def _show(axis: Axes, picture: np.ndarray, title: str) -> None:
    axis.imshow(picture.repeat(3, axis=-1) if picture.shape[-1] == 1 else picture, vmin=0, vmax=1)
    axis.set_title(title, fontsize=8, loc="center")
    axis.set_axis_off()


def _bars(axis: Axes, table: pd.DataFrame, name: str) -> None:
    """Draw a bar per feature with the highest and the lowest attributions of a modality."""
    order = table.sort_values("attribution", ascending=False, kind="stable")
    shown = order if len(order) <= 2 * SHOWN else pd.concat([order[:SHOWN], order[-SHOWN:]])
    y = np.arange(len(shown))
    colors = np.where(shown["attribution"] > 0, style.HIT, style.DARK)
    axis.barh(y, shown["attribution"], color=colors, height=0.7)
    texts = [label(*pair) for pair in zip(shown["feature"], shown["name"].astype(str), strict=True)]
    axis.set_yticks(y, texts, fontsize=6)
    axis.invert_yaxis()
    axis.axvline(0, color=style.MUTED, linewidth=0.7)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=6)
    axis.set_title(name, fontsize=8.5, fontweight="bold")
    axis.set_xlabel("attribution (nats)", fontsize=7)
