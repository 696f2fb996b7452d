"""What a network that draws makes of its features: images drawn back, walks along components, and draws of nobody."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor, nn

from contigwas.images.array import load_photographs
from contigwas.images.table import read_images
from contigwas.plots import style
from contigwas.plots.montage import shown
from contigwas.pretrain.pretrained import Pretrained, read_checkpoint
from contigwas.pretrain.roles import HELDOUT, TRAIN, VALIDATION
from contigwas.runtime.atomic_files import PathLike, private_folder
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_included
from contigwas.samples.folds import stable_hash
from contigwas.tables.anndata_io import read_modality

log = logging.getLogger(__name__)
STAGE = 8102  # of the random numbers: no other stage draws the same
SAMPLES = 16  # of whom an image is drawn back
COMPONENTS = 8  # that are walked along, at most
STEPS = (-2, -1, 0, 1, 2)  # SD
SAMPLES = 24  # of the prior
TILE = 0.72  # inches of an image
COLUMNS = 8


@dataclass(frozen=True)
class Drawer:
    """A trunk and what draws from its features, of one checkpoint, in evaluation mode on the CPU."""

    scaler: nn.Module
    trunk: nn.Module
    decoder: nn.Module
    shape: tuple[int, ...]

    @classmethod
    def of(cls, checkpoint: PathLike, which: str) -> "Drawer":
        """Of a checkpoint whose method draws; `which` weights: last or best."""
        learned = Pretrained.of(read_checkpoint(checkpoint), checkpoint, which)
        return cls(learned.pixels(), learned.trunk(), learned.drawer(), learned.shape)

    def __call__(self, features: Tensor) -> np.ndarray:
        """Images (images, sizes …, channels) uint8 from features (images, features)."""
        with torch.inference_mode():
            drawn = self.decoder(features.float())[(..., *(slice(size) for size in self.shape[1:]))]
            to = (1, -1, *[1] * (len(self.shape) - 1))
            levels = drawn * self.scaler.sd.view(to) + self.scaler.mean.view(to)
        return (levels.clamp(0, 1) * 255).round().byte().movedim(1, -1).numpy()

    def features(self, images: Tensor) -> Tensor:
        """(images, features) of uint8 images (images, channels, sizes …)."""
        with torch.inference_mode():
            return self.trunk(self.scaler(images.float() / 255))


def reconstructions(
    checkpoint: PathLike,
    images_npy: PathLike,
    images_table: PathLike,
    cohort: PathLike,
    outputs: Sequence[PathLike],
    seed: int,
    which: str = "last",
) -> Figure:
    """Draw images beside what their features give back, to `outputs` in a private folder: they show samples.

    One image each of 16 samples that the network did not train on, held out or validating, drawn by the seed; where
    there is nobody of these, of samples that trained, and the title says so. Returns the figure.
    """
    state = read_checkpoint(checkpoint)
    drawer = Drawer.of(checkpoint, which)
    images = read_images(images_table)
    samples = read_included(cohort)["iid"]
    samples = samples[samples.isin(images["iid"])]
    hashes = samples.map(stable_hash)
    unseen = hashes.isin([*state["roles"][HELDOUT], *state["roles"][VALIDATION]])
    chosen = samples[unseen] if unseen.any() else samples[hashes.isin(state["roles"][TRAIN])]
    if chosen.empty:
        raise UserError(f"nobody of {cohort} is known to {checkpoint}: train again with this cohort")
    rng = np.random.default_rng([seed, STAGE])
    some = pd.Index(sorted(rng.choice(np.sort(chosen.to_numpy(str)), min(SAMPLES, len(chosen)), replace=False)))
    photographs = load_photographs(images_npy, images, some)
    if photographs.shape != drawer.shape:
        raise UserError(f"{checkpoint} was trained on images of another size than those of {images_npy}: train again")
    pixels = photographs.gather(photographs.first)
    drawn = drawer(drawer.features(pixels))
    real = pixels.movedim(1, -1).numpy()
    who = "samples that the network did not train on" if unseen.any() else "samples that trained"
    with style.applied():
        columns = min(COLUMNS, len(real))
        lines = -(-len(real) // columns)
        figure = Figure(figsize=(0.9 + TILE * columns, 0.45 + 2.06 * TILE * lines), layout="constrained")
        axes = figure.subplots(2 * lines, columns, squeeze=False)
        for number, (image, back) in enumerate(zip(real, drawn, strict=True)):
            line, column = divmod(number, columns)
            _show(axes[2 * line, column], image)
            _show(axes[2 * line + 1, column], back)
        for axis in axes.ravel():
            axis.set_axis_off()
        figure.suptitle(f"Above images of {len(real)} {who}, below drawn from their features", fontsize=8, x=0.01,
                        ha="left")  # fmt: skip
        for path in outputs:
            private_folder(Path(path).parent)
        style.save(figure, outputs)
    log.info("%d images drawn back, of %s", len(real), who)
    return figure


def walks(
    checkpoint: PathLike,
    pca: PathLike,
    outputs: Sequence[PathLike],
    title: str,
    seed: int,
    variational: bool,
    which: str = "last",
) -> Figure:
    """Draw what changes along the first components, at -2 to 2 SD from the mean of the training samples.

    The components are those of `pca` (pca.h5ad), which the GWAS tests: of network 0, whose `checkpoint` this is; where
    there are none, because features are tested themselves, the first features. Of a variational network also images
    drawn from its prior. Nobody's image is shown. Returns the figure.
    """
    drawer = Drawer.of(checkpoint, which)
    names, ratios, latents = walked(pca)
    if latents.shape[-1] != drawer.trunk.features:
        raise UserError(
            f"{pca} has components of {latents.shape[-1]} features, but {checkpoint} gives {drawer.trunk.features}: "
            "run the stage phenotypes again"
        )
    images = drawer(torch.from_numpy(latents.reshape(-1, latents.shape[-1])))
    images = images.reshape(len(names), len(STEPS), *images.shape[1:])
    with style.applied():
        beside = -(-SAMPLES // len(names)) if variational else 0  # columns: as many rows as there are walks
        left, right = 1.0 + len(STEPS) * TILE, 0.3 + beside * TILE if beside else 0.0
        figure = Figure(figsize=(left + right, 0.75 + len(names) * TILE), layout="constrained")
        parts = figure.subfigures(1, 2, width_ratios=[left, right]) if beside else [figure]
        _walks(parts[0], images, names, ratios)
        if beside:
            drawn = torch.randn(SAMPLES, drawer.trunk.features, generator=torch.Generator().manual_seed(seed + STAGE))
            _samples(parts[1], drawer(drawn), len(names), beside)
        parts[0].suptitle(title, fontsize=11, fontweight="bold", x=0.02, ha="left")
        style.save(figure, outputs)
    log.info("walks along %d components%s", len(names), f", {SAMPLES} draws from the prior" if beside else "")
    return figure


def walked(pca: PathLike) -> tuple[list[str], list[float], np.ndarray]:
    """Names, shares of the variance, and features (components, steps, features) along the first components of pca.h5ad.

    Features as the trunk of network 0 gives them: standardisation and centring are undone.
    """
    data = read_modality(pca)
    mean, sd, centre = (np.asarray(data.uns[name], np.float64) for name in ("mean", "sd", "centre"))
    if data.n_obs:
        ways = np.asarray(data.X, np.float64)[:COMPONENTS]
        ways = ways * np.sqrt(data.obs["explained_variance"].to_numpy()[:COMPONENTS, None])
        names, ratios = data.obs_names[:COMPONENTS], data.obs["explained_ratio"][:COMPONENTS]
    else:
        ways, names = np.eye(data.n_vars)[:COMPONENTS], data.var_names[:COMPONENTS]
        ratios = [float("nan")] * len(names)
    standard = centre + np.asarray(STEPS)[None, :, None] * ways[:, None, :]
    return [*names], [float(one) for one in ratios], mean + sd * standard


def _walks(figure: Figure | SubFigure, images: np.ndarray, names: Sequence[str], ratios: Sequence[float]) -> None:
    axes = figure.subplots(len(names), len(STEPS), squeeze=False)
    for row, name in enumerate(names):
        for column in range(len(STEPS)):
            _show(axes[row, column], images[row, column])
        share = f"\n{100 * ratios[row]:.0f} %" if np.isfinite(ratios[row]) else ""
        axes[row, 0].set_ylabel(f"{name}{share}", rotation=0, ha="right", va="center", fontsize=7.5)
    for axis, step in zip(axes[0], STEPS, strict=True):
        axis.set_title(f"{step:+d} SD" if step else "mean", fontsize=7.5, loc="center", pad=3)


def _samples(figure: Figure | SubFigure, images: np.ndarray, rows: int, columns: int) -> None:
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.ravel():
        axis.set_axis_off()
    for axis, image in zip(axes.ravel(), images, strict=False):
        _show(axis, image)
    figure.suptitle("drawn from the prior", fontsize=8.5)


def _show(axis: Axes, image: np.ndarray) -> None:
    """A photograph, or the middle slice of a volume, without ticks."""
    picture = shown(image)
    axis.imshow(picture[..., 0] if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=255)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
