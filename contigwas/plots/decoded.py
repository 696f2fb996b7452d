"""Figures of networks with a decoder: reconstructions, images along components, and images sampled from the prior."""

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
STAGE = 8102  # part of the random seeds, so that no two stages share random numbers
RECONSTRUCTED = 16  # samples whose images are reconstructed
MAX_COMPONENTS = 8
STEPS = (-2, -1, 0, 1, 2)  # SD
PRIOR_SAMPLES = 24  # images sampled from the prior
TILE = 0.72  # inches per image
COLUMNS = 8


@dataclass(frozen=True)
class ImageDecoder:
    """Trunk and decoder of one checkpoint, in evaluation mode on the CPU."""

    scaler: nn.Module
    trunk: nn.Module
    decoder: nn.Module
    shape: tuple[int, ...]

    @classmethod
    def of(cls, checkpoint: PathLike, which: str) -> "ImageDecoder":
        """Read the networks of a checkpoint whose method has a decoder; `which` weights: last or best."""
        learned = Pretrained.of(read_checkpoint(checkpoint), checkpoint, which)
        return cls(learned.pixels(), learned.trunk(), learned.decoder(), learned.shape)

    def __call__(self, features: Tensor) -> np.ndarray:
        """Return images (images, sizes …, channels) uint8 decoded from features (images, features)."""
        with torch.inference_mode():
            decoded = self.decoder(features.float())[(..., *(slice(size) for size in self.shape[1:]))]
            to = (1, -1, *[1] * (len(self.shape) - 1))
            levels = decoded * self.scaler.sd.view(to) + self.scaler.mean.view(to)
        return (levels.clamp(0, 1) * 255).round().byte().movedim(1, -1).numpy()

    def features(self, images: Tensor) -> Tensor:
        """Return features (images, features) of uint8 images (images, channels, sizes …)."""
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
    """Draw images above their reconstructions to `outputs` in a private folder, and return the figure.

    It shows one image each of 16 held-out or validation samples, chosen by the seed. If there are none, training
    samples are shown, and the title says so. Raises UserError if the network has no sample of the cohort, or was
    trained on images of another size.
    """
    state = read_checkpoint(checkpoint)
    decoder = ImageDecoder.of(checkpoint, which)
    images = read_images(images_table)
    samples = read_included(cohort)["iid"]
    samples = samples[samples.isin(images["iid"])]
    hashes = samples.map(stable_hash)
    unseen = hashes.isin([*state["roles"][HELDOUT], *state["roles"][VALIDATION]])
    candidates = samples[unseen] if unseen.any() else samples[hashes.isin(state["roles"][TRAIN])]
    if candidates.empty:
        raise UserError(f"{checkpoint} was trained without any sample of {cohort}: train again with this cohort")
    rng = np.random.default_rng([seed, STAGE])
    count = min(RECONSTRUCTED, len(candidates))
    chosen = pd.Index(sorted(rng.choice(np.sort(candidates.to_numpy(str)), count, replace=False)))
    photographs = load_photographs(images_npy, images, chosen)
    if photographs.shape != decoder.shape:
        raise UserError(f"{checkpoint} was trained on images of another size than those of {images_npy}: train again")
    pixels = photographs.gather(photographs.first)
    reconstructed = decoder(decoder.features(pixels))
    real = pixels.movedim(1, -1).numpy()
    group = "samples that the network did not train on" if unseen.any() else "training samples"
    with style.applied():
        columns = min(COLUMNS, len(real))
        lines = -(-len(real) // columns)
        figure = Figure(figsize=(0.9 + TILE * columns, 0.45 + 2.06 * TILE * lines), layout="constrained")
        axes = figure.subplots(2 * lines, columns, squeeze=False)
        for number, (image, reconstruction) in enumerate(zip(real, reconstructed, strict=True)):
            line, column = divmod(number, columns)
            _show(axes[2 * line, column], image)
            _show(axes[2 * line + 1, column], reconstruction)
        for axis in axes.ravel():
            axis.set_axis_off()
        figure.suptitle(f"Images of {len(real)} {group} (above) and their reconstructions (below)", fontsize=8, x=0.01,
                        ha="left")  # fmt: skip
        for path in outputs:
            private_folder(Path(path).parent)
        style.save(figure, outputs)
    log.info("reconstructed %d images of %s", len(real), group)
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
    """Draw images decoded along the first components, at -2 to 2 SD from the mean of the training samples.

    The components are those of `pca` (pca.h5ad), which the GWAS tests, in the space of network 0 (`checkpoint`). If the
    features themselves are tested, the first features are used. For a variational network images sampled from its prior
    are also shown. No image of a participant is shown. Returns the figure. Raises UserError if `pca` and `checkpoint`
    have different numbers of features.
    """
    decoder = ImageDecoder.of(checkpoint, which)
    names, ratios, latents = component_steps(pca)
    if latents.shape[-1] != decoder.trunk.features:
        raise UserError(
            f"{pca} has components of {latents.shape[-1]} features, but {checkpoint} has {decoder.trunk.features}: run "
            "the stage phenotypes again"
        )
    images = decoder(torch.from_numpy(latents.reshape(-1, latents.shape[-1])))
    images = images.reshape(len(names), len(STEPS), *images.shape[1:])
    with style.applied():
        prior_columns = -(-PRIOR_SAMPLES // len(names)) if variational else 0  # with one row per component
        left, right = 1.0 + len(STEPS) * TILE, 0.3 + prior_columns * TILE if prior_columns else 0.0
        figure = Figure(figsize=(left + right, 0.75 + len(names) * TILE), layout="constrained")
        parts = figure.subfigures(1, 2, width_ratios=[left, right]) if prior_columns else [figure]
        _draw_components(parts[0], images, names, ratios)
        if prior_columns:
            generator = torch.Generator().manual_seed(seed + STAGE)
            sampled = torch.randn(PRIOR_SAMPLES, decoder.trunk.features, generator=generator)
            _draw_prior_samples(parts[1], decoder(sampled), len(names), prior_columns)
        parts[0].suptitle(title, fontsize=11, fontweight="bold", x=0.02, ha="left")
        style.save(figure, outputs)
    log.info(
        "decoded images along %d components%s",
        len(names),
        f" and {PRIOR_SAMPLES} images sampled from the prior" if prior_columns else "",
    )
    return figure


def component_steps(pca: PathLike) -> tuple[list[str], list[float], np.ndarray]:
    """Return names, shares of variance, and features (components, steps, features) along components of pca.h5ad.

    The features are on the scale of the trunk of network 0, without standardisation and centring.
    """
    data = read_modality(pca)
    mean, sd, centre = (np.asarray(data.uns[name], np.float64) for name in ("mean", "sd", "centre"))
    if data.n_obs:
        ways = np.asarray(data.X, np.float64)[:MAX_COMPONENTS]
        ways = ways * np.sqrt(data.obs["explained_variance"].to_numpy()[:MAX_COMPONENTS, None])
        names, ratios = data.obs_names[:MAX_COMPONENTS], data.obs["explained_ratio"][:MAX_COMPONENTS]
    else:
        ways, names = np.eye(data.n_vars)[:MAX_COMPONENTS], data.var_names[:MAX_COMPONENTS]
        ratios = [float("nan")] * len(names)
    standard = centre + np.asarray(STEPS)[None, :, None] * ways[:, None, :]
    return [*names], [float(one) for one in ratios], mean + sd * standard


def _draw_components(
    figure: Figure | SubFigure, images: np.ndarray, names: Sequence[str], ratios: Sequence[float]
) -> None:
    axes = figure.subplots(len(names), len(STEPS), squeeze=False)
    for row, name in enumerate(names):
        for column in range(len(STEPS)):
            _show(axes[row, column], images[row, column])
        share = f"\n{100 * ratios[row]:.0f} %" if np.isfinite(ratios[row]) else ""
        axes[row, 0].set_ylabel(f"{name}{share}", rotation=0, ha="right", va="center", fontsize=7.5)
    for axis, step in zip(axes[0], STEPS, strict=True):
        axis.set_title(f"{step:+d} SD" if step else "mean", fontsize=7.5, loc="center", pad=3)


def _draw_prior_samples(figure: Figure | SubFigure, images: np.ndarray, rows: int, columns: int) -> None:
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.ravel():
        axis.set_axis_off()
    for axis, image in zip(axes.ravel(), images, strict=False):
        _show(axis, image)
    figure.suptitle("sampled from the prior", fontsize=8.5)


def _show(axis: Axes, image: np.ndarray) -> None:
    """Draw a photograph, or the middle slice of a volume, without ticks."""
    pixels = shown(image)
    axis.imshow(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
