"""Images at quantiles of a model's features, and those nearest to one another. They show samples: private files only."""

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
STAGE = 8103  # of the random numbers: no other stage draws the same
QUANTILES = (2, 25, 50, 75, 98)  # percent
NEAR = 3  # samples shown at a quantile
FEATURES = 12  # of a model, at most
SAMPLES, NEIGHBOURS = 8, 8
TILE = 0.62  # inches of an image


def quantiles(
    phenotypes: PathLike,
    pca: PathLike | None,
    images_npy: PathLike,
    images_table: PathLike,
    outputs: Sequence[PathLike],
    title: str,
) -> Figure:
    """Draw images of the 3 samples nearest to each of 5 quantiles of the tested features, the first 12, to `outputs`.

    `phenotypes` is what the GWAS tests; `pca` tells what share of the variance a component has. One image a sample, the
    first that is kept. A feature of fewer than 15 samples with an image is left out; where none is left, as may be
    with user-supplied features, the figure says so.
    """
    table = pd.read_parquet(phenotypes).set_index("iid")
    pictures = Pictures.of(images_npy, images_table)
    table = table[table.index.isin(pictures.row.index)]
    chosen = {name: nearest_to_quantiles(table[name]) for name in table.columns[:FEATURES]}
    chosen = {name: samples for name, samples in chosen.items() if len(samples)}
    if not chosen:
        return _nothing(
            f"no feature that {NEAR * len(QUANTILES)} samples with an image have", phenotypes, outputs, title
        )
    shares = read_modality(pca).obs["explained_ratio"].to_dict() if pca else {}
    rows = [
        (_label(name, shares.get(name)), [one for group in samples for one in group])
        for name, samples in chosen.items()
    ]
    heads = {place * NEAR + NEAR // 2: f"{quantile} %" for place, quantile in enumerate(QUANTILES)}
    figure = _sheet(pictures, rows, heads, title, gap=NEAR)
    _save(figure, outputs)
    log.info("images at %d quantiles of %d features", len(QUANTILES), len(rows))
    return figure


def nearest_to_quantiles(values: pd.Series) -> list[list[str]]:
    """For each of `QUANTILES` the 3 samples whose value is nearest, the nearest first, nobody twice; none if too few."""
    left = values[np.isfinite(values.astype(float))].astype(float).sort_index()
    if len(left) < NEAR * len(QUANTILES):
        return []
    ends = np.percentile(left.to_numpy(), QUANTILES)
    found: dict[int, list[str]] = {}
    # from the tails inwards: there are fewest samples
    for place in sorted(range(len(ends)), key=lambda one: -abs(QUANTILES[one] - 50)):
        order = (left - ends[place]).abs().sort_values(kind="stable").index[:NEAR]
        found[place] = [*order]
        left = left.drop(order)
    return [found[place] for place in range(len(ends))]


def neighbours(
    embeddings: PathLike,
    images_npy: PathLike,
    images_table: PathLike,
    outputs: Sequence[PathLike],
    title: str,
    seed: int,
) -> Figure:
    """Draw 8 samples, chosen by the seed, each with the 8 tested samples nearest to them.

    Near is Euclid's distance of standardised features. Where fewer than two of them have an image, the figure says so.
    """
    iids, features = features_of_tested(embeddings)
    pictures = Pictures.of(images_npy, images_table)
    there = iids.isin(pictures.row.index)
    iids, features = iids[there], features[there]
    if len(iids) < 2:
        return _nothing("no two tested samples with an image", embeddings, outputs, title)
    order = np.argsort(iids)
    iids, features = iids[order], features[order]
    some = np.random.default_rng([seed, STAGE]).choice(len(iids), min(SAMPLES, len(iids)), replace=False)
    rows = [("", [iids[one], *iids[nearest(features, one)]]) for one in some]
    last = len(rows[0][1]) - 1
    figure = _sheet(pictures, rows, {last: f"nearest {last}", 1: "nearest 1", 0: "sample"}, title, gap=0)
    _save(figure, outputs)
    log.info("%d samples and their neighbours among %d", len(rows), len(iids))
    return figure


def nearest(features: np.ndarray, one: int) -> np.ndarray:
    """The rows of `features` (samples, features) nearest to row `one`, without it: at most 8, the nearest first."""
    apart = ((features - features[one]) ** 2).sum(axis=1)
    apart[one] = np.inf
    return np.argsort(apart, kind="stable")[: min(NEIGHBOURS, len(features) - 1)]


class Pictures:
    """One image a sample: the first kept one."""

    def __init__(self, pixels: np.ndarray, row: pd.Series) -> None:
        """`row` in `pixels`, by IID."""
        self.pixels, self.row = pixels, row

    @classmethod
    def of(cls, npy: PathLike, table: PathLike) -> "Pictures":
        """Of the stage images; UserError where the table names images that the array has not."""
        images = first_images(table)
        pixels = np.load(npy, mmap_mode="r")
        if len(images) and images["row"].max() >= len(pixels):
            raise UserError(f"{table} names images that {npy} has not: run the images stage again")
        return cls(pixels, images.set_index("iid")["row"])

    def __getitem__(self, iid: str) -> np.ndarray:
        return shown(self.pixels[self.row[iid]])


def _label(name: str, share: float | None) -> str:
    short = shorten_middle(str(name))
    return short if share is None or not np.isfinite(share) else f"{short}\n{100 * share:.0f} %"


def _sheet(
    pictures: Pictures, rows: Sequence[tuple[str, Sequence[str]]], heads: dict[int, str], title: str, gap: int
) -> Figure:
    """Rows of images with a label each, heads above columns, and a space after every `gap` columns (0: none)."""
    columns = max(len(samples) for _, samples in rows)
    places = [place + (place // gap if gap else 0) for place in range(columns)]  # what is skipped is space
    widths = [1.0 if place in places else 0.3 for place in range(places[-1] + 1)]
    with style.applied():
        figure = Figure(figsize=(1.3 + TILE * sum(widths), 0.8 + TILE * len(rows)), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
        grid = figure.add_gridspec(len(rows), len(widths), width_ratios=widths)
        for line, (label, samples) in enumerate(rows):
            for number, iid in enumerate(samples):
                axis = figure.add_subplot(grid[line, places[number]])
                axis.imshow(pictures[iid])
                axis.set_xticks([])
                axis.set_yticks([])
                axis.spines[:].set_visible(False)
                if number == 0:
                    axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=7.5)
                if line == 0 and number in heads:
                    axis.set_title(heads[number], fontsize=7.5, loc="center", pad=3)
        figure.suptitle(title, fontsize=10, fontweight="bold", x=0.02, ha="left")
    return figure


def _nothing(sentence: str, path: PathLike, outputs: Sequence[PathLike], title: str) -> Figure:
    """A figure that says why it shows nobody: one model without pictures does not keep the others from theirs."""
    log.warning("%s: %s, so nobody is shown", path, sentence)
    with style.applied():
        figure = Figure(figsize=(6, 2), layout="constrained")
        axis = figure.subplots()
        axis.set_axis_off()
        style.say(axis, sentence)
        figure.suptitle(title, fontsize=10, fontweight="bold", x=0.02, ha="left")
    _save(figure, outputs)
    return figure


def _save(figure: Figure, outputs: Sequence[PathLike]) -> None:
    for path in outputs:
        private_folder(Path(path).parent)
    with style.applied():
        style.save(figure, outputs)
