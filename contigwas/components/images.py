"""Images at quantiles of the features and of nearest neighbours. They show participants: private files only."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from contigwas.images.table import first_images
from contigwas.plots import style
from contigwas.plots.labels import shorten_middle
from contigwas.plots.map import features_of_tested
from contigwas.plots.montage import shown
from contigwas.runtime.atomic_files import PathLike, private_folder
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality

log = logging.getLogger(__name__)
STAGE = 8103  # of the random seed: each stage has its own
QUANTILES = (2, 25, 50, 75, 98)  # percent
PER_QUANTILE = 3  # samples shown at each quantile
MAX_FEATURES = 12  # of a model
SAMPLES, NEIGHBOURS = 8, 8
TILE = 0.62  # inches per image


def quantiles(
    phenotypes: PathLike,
    pca: PathLike | None,
    images_npy: PathLike,
    images_table: PathLike,
    outputs: Sequence[PathLike],
    title: str,
) -> Figure:
    """Draw images of the 3 samples nearest to each of 5 quantiles of the first 12 tested features.

    `phenotypes` is the table of the GWAS; `pca` gives the share of variance of each component. Each sample is shown
    with its first kept image. Features with fewer than 15 samples with an image are skipped. If none remains, as is
    possible with user-supplied features, the figure says so. Writes `outputs` and returns the figure.
    """
    table = pd.read_parquet(phenotypes).set_index("iid")
    images = SampleImages.of(images_npy, images_table)
    table = table[table.index.isin(images.row.index)]
    chosen = {name: nearest_to_quantiles(table[name]) for name in table.columns[:MAX_FEATURES]}
    chosen = {name: samples for name, samples in chosen.items() if len(samples)}
    if not chosen:
        return _empty_figure(
            f"no feature with {PER_QUANTILE * len(QUANTILES)} samples with an image", phenotypes, outputs, title
        )
    shares = read_modality(pca).obs["explained_ratio"].to_dict() if pca else {}
    rows = [
        (_label(name, shares.get(name)), [one for group in samples for one in group])
        for name, samples in chosen.items()
    ]
    headings = {index * PER_QUANTILE + PER_QUANTILE // 2: f"{quantile} %" for index, quantile in enumerate(QUANTILES)}
    figure = _sheet(images, rows, headings, title, gap=PER_QUANTILE)
    _save(figure, outputs)
    log.info("images at %d quantiles of %d features", len(QUANTILES), len(rows))
    return figure


def nearest_to_quantiles(values: pd.Series) -> list[list[str]]:
    """Return for each of `QUANTILES` the IIDs of the 3 samples with the nearest values, the nearest first.

    No sample is selected twice. Empty if there are too few samples.
    """
    remaining = values[np.isfinite(values.astype(float))].astype(float).sort_index()
    if len(remaining) < PER_QUANTILE * len(QUANTILES):
        return []
    targets = np.percentile(remaining.to_numpy(), QUANTILES)
    found: dict[int, list[str]] = {}
    # from the tails inwards, because the tails have the fewest samples
    for index in sorted(range(len(targets)), key=lambda one: -abs(QUANTILES[one] - 50)):
        order = (remaining - targets[index]).abs().sort_values(kind="stable").index[:PER_QUANTILE]
        found[index] = [*order]
        remaining = remaining.drop(order)
    return [found[index] for index in range(len(targets))]


def neighbours(
    embeddings: PathLike,
    images_npy: PathLike,
    images_table: PathLike,
    outputs: Sequence[PathLike],
    title: str,
    seed: int,
) -> Figure:
    """Draw 8 random samples, each with the 8 nearest tested samples, and write to `outputs`.

    The distance is Euclidean on standardised features. If fewer than two tested samples have an image, the figure says
    so.
    """
    iids, features = features_of_tested(embeddings)
    images = SampleImages.of(images_npy, images_table)
    imaged = iids.isin(images.row.index)
    iids, features = iids[imaged], features[imaged]
    if len(iids) < 2:
        return _empty_figure("no two tested samples with an image", embeddings, outputs, title)
    order = np.argsort(iids)
    iids, features = iids[order], features[order]
    chosen = np.random.default_rng([seed, STAGE]).choice(len(iids), min(SAMPLES, len(iids)), replace=False)
    rows = [("", [iids[one], *iids[nearest(features, one)]]) for one in chosen]
    last = len(rows[0][1]) - 1
    figure = _sheet(images, rows, {last: f"nearest {last}", 1: "nearest 1", 0: "sample"}, title, gap=0)
    _save(figure, outputs)
    log.info("images of %d samples and their nearest neighbours among %d", len(rows), len(iids))
    return figure


def nearest(features: np.ndarray, one: int) -> np.ndarray:
    """Return the 8 rows of `features` (samples, features) nearest to row `one`, the nearest first, without it."""
    distance = ((features - features[one]) ** 2).sum(axis=1)
    distance[one] = np.inf
    return np.argsort(distance, kind="stable")[: min(NEIGHBOURS, len(features) - 1)]


class SampleImages:
    """The first kept image of each sample."""

    def __init__(self, pixels: np.ndarray, row: pd.Series) -> None:
        """Take the rows of the samples in `pixels`, indexed by IID."""
        self.pixels, self.row = pixels, row

    @classmethod
    def of(cls, npy: PathLike, table: PathLike) -> "SampleImages":
        """Read the outputs of the images stage. Raises UserError when the table names rows outside the array."""
        images = first_images(table)
        pixels = np.load(npy, mmap_mode="r")
        if len(images) and images["row"].max() >= len(pixels):
            raise UserError(f"{table} names images that {npy} does not hold: run the images stage again")
        return cls(pixels, images.set_index("iid")["row"])

    def __getitem__(self, iid: str) -> np.ndarray:
        return shown(self.pixels[self.row[iid]])


def _label(name: str, share: float | None) -> str:
    short = shorten_middle(str(name))
    return short if share is None or not np.isfinite(share) else f"{short}\n{100 * share:.0f} %"


def _sheet(
    images: SampleImages, rows: Sequence[tuple[str, Sequence[str]]], headings: dict[int, str], title: str, gap: int
) -> Figure:
    """Draw rows of images with a label each and headings above columns; a space follows every `gap` columns."""
    columns = max(len(samples) for _, samples in rows)
    positions = [column + (column // gap if gap else 0) for column in range(columns)]  # skipped positions are space
    widths = [1.0 if position in positions else 0.3 for position in range(positions[-1] + 1)]
    with style.applied():
        figure = Figure(figsize=(1.3 + TILE * sum(widths), 0.8 + TILE * len(rows)), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
        grid = figure.add_gridspec(len(rows), len(widths), width_ratios=widths)
        for line, (label, samples) in enumerate(rows):
            for number, iid in enumerate(samples):
                axis = figure.add_subplot(grid[line, positions[number]])
                axis.imshow(images[iid])
                axis.set_xticks([])
                axis.set_yticks([])
                axis.spines[:].set_visible(False)
                if number == 0:
                    axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=7.5)
                if line == 0 and number in headings:
                    axis.set_title(headings[number], fontsize=7.5, loc="center", pad=3)
        figure.suptitle(title, fontsize=10, fontweight="bold", x=0.02, ha="left")
    return figure


def _empty_figure(sentence: str, path: PathLike, outputs: Sequence[PathLike], title: str) -> Figure:
    """Write a figure with a sentence instead of images, so that one model without images does not stop the others."""
    log.warning("%s: %s, so no images are shown", path, sentence)
    with style.applied():
        figure = Figure(figsize=(6, 2), layout="constrained")
        axis = figure.subplots()
        axis.set_axis_off()
        style.say(axis, sentence)
        figure.suptitle(title, fontsize=10, fontweight="bold", x=0.02, ha="left")
    _save(figure, outputs)
    return figure


def _save(figure: Figure, outputs: Sequence[PathLike]) -> None:
    """Save the figure in private folders."""
    for path in outputs:
        private_folder(Path(path).parent)
    with style.applied():
        style.save(figure, outputs)
