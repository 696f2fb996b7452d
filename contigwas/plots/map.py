"""A map of the samples in the space of a model's features: hexagons of several samples, coloured by covariates."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from contigwas.plots import style
from contigwas.plots.labels import shorten_middle
from contigwas.privacy.hexagons import TOO_FEW, hexagons
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import read_cohort
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.covariates import UNKNOWN, expand, read_covariate_table, read_covariates

log = logging.getLogger(__name__)
DEFAULT = 4  # covariates that are drawn where the config names none
LEVELS = 3  # of a category, the most common, that are drawn
PER_HEXAGON = 12  # samples, if they lay evenly
ACROSS = 3  # panels in a line
REACH = 1, 99  # percentiles of the samples that the map reaches: its edge is nobody's


def plot_map(
    embeddings: PathLike,
    cohort: PathLike,
    covariates: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
    outputs: Sequence[PathLike],
    title: str = "",
) -> Figure:
    """Draw the tested samples of a model on two dimensions of its features, and covariates as means over hexagons.

    `settings`: method (pca or umap), colour (names of covariates; None: of settings["covariates"], the list of the
    GWAS, the first 4 that are sex or stand in their table) and seed. A number is drawn as its mean; a text, or a number
    with two values, as the share of samples with a level. A hexagon holds at least 5 samples whose value is known.
    Returns the figure, which says so where there are too few samples. Raises UserError for features that are not numbers
    and for a covariate that is nowhere.
    """
    iids, features = features_of_tested(embeddings)
    places, axes = flat(features, str(settings["method"]), int(settings["seed"]))
    samples = read_cohort(cohort)
    names = settings["colour"]
    if names is None:
        names = _default(settings["covariates"], covariates)
    table = read_covariates(names, covariates, pcs, samples, "plots.map.colour").reindex(iids)
    levels = {name: _levels(name, table[name]) for name in table.columns}
    shown = [("samples", None), *(one for found in levels.values() for one in found)]
    coloured = [name for name, found in levels.items() if found]
    inside = _inside(places)
    with style.applied():
        across = min(ACROSS, len(shown))
        lines = -(-len(shown) // across)
        figure = Figure(figsize=(0.4 + 2.9 * across, 0.5 + 2.6 * lines), layout="constrained")
        panels = figure.subplots(lines, across, squeeze=False).ravel()
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        for panel, (name, values) in zip(panels, shown, strict=False):
            coloured_hexagons(figure, panel, places[inside], None if values is None else values[inside])
            panel.set_title(name, fontsize=8.5)
            panel.set_xlabel(axes[0], fontsize=7.5)
            panel.set_ylabel(axes[1], fontsize=7.5)
        figure.suptitle(title, fontsize=11, fontweight="bold", x=0.02, ha="left")
        style.save(figure, outputs)
    log.info(
        "%d tested samples on a map (%s), coloured by %s", len(iids), settings["method"], ", ".join(coloured) or "none"
    )
    return figure


def features_of_tested(embeddings: PathLike) -> tuple[pd.Index, np.ndarray]:
    """The tested samples and their features (samples, features), standardised, float64; those that vary.

    Raises UserError where one is not a finite number, or none varies.
    """
    data = read_modality(embeddings)
    data = data[data.obs["tested"].to_numpy(bool)]
    features = np.asarray(data.X, np.float64)
    odd = ~np.isfinite(features).all(axis=1)
    if odd.any():
        raise UserError(
            f"{embeddings} has features that are no finite numbers, of {int(odd.sum())} of {len(odd)} tested samples: "
            "leave these samples out of the file, or train again with a smaller lr"
        )
    sd = features.std(axis=0)
    varies = sd > 1e-9 * np.abs(features).max(axis=0, initial=0)
    if not varies.any():
        raise UserError(
            f"{embeddings} has no feature that differs between the {len(odd)} tested samples, so nothing can be drawn: "
            "supply other features, or leave the model out"
        )
    return data.obs_names.astype(str), (features[:, varies] - features[:, varies].mean(axis=0)) / sd[varies]


def flat(features: np.ndarray, method: str, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    """Two dimensions (samples, 2) of standardised `features`, and what to call them.

    pca: the first two principal components, each with its largest loading positive. umap: as umap-learn draws them with
    `seed`; UserError where that is not installed.
    """
    if method == "umap":
        try:
            from umap import UMAP
        except ImportError:
            raise UserError(
                "config: plots.map.method is umap, but umap-learn is not installed: run pip install 'contigwas[umap]', "
                "or write pca"
            ) from None
        return np.asarray(UMAP(random_state=seed, n_jobs=1).fit_transform(features), np.float64), ("UMAP 1", "UMAP 2")
    values, vectors = np.linalg.eigh(features.T @ features / len(features))
    ways = vectors[:, ::-1][:, :2]
    if ways.shape[1] == 1:
        return np.column_stack([features @ ways, np.zeros(len(features))]), ("the one feature", "")
    ways = ways * np.sign(ways[np.abs(ways).argmax(axis=0), [0, 1]])
    shares = values[::-1][:2] / values.sum()
    one, two = (f"component {place} ({100 * share:.0f} %)" for place, share in enumerate(shares, 1))
    return features @ ways, (one, two)


def coloured_hexagons(
    figure: Figure, axis: Axes, places: np.ndarray, values: np.ndarray | None
) -> PolyCollection | None:
    """Colour hexagons of at least 5 samples, at `places` (samples, 2), by the mean of `values` (samples,), NaN unknown.

    None for `values`: by how many samples they hold. Returns what is drawn; None, and a sentence, where no hexagon is.
    """
    known = np.ones(len(places), bool) if values is None else np.isfinite(values)
    across = int(np.clip(np.sqrt(len(places) / PER_HEXAGON), 5, 40))
    by_mean = {} if values is None else {"C": values[known], "reduce_C_function": np.mean}
    drawn = None
    if known.any():
        reach = np.column_stack([places.min(axis=0), places.max(axis=0)])
        cmap = "Blues" if values is None else "viridis"
        drawn = hexagons(axis, places[known], reach, across, cmap=cmap, **by_mean)
    if drawn is None:
        style.say(axis, TOO_FEW)
        return None
    means = np.ma.compressed(drawn.get_array())
    low, high = (0, np.max(means)) if values is None else np.percentile(means, [2, 98])
    drawn.set_clim(low, high if high > low else low + 1e-9)
    figure.colorbar(drawn, ax=axis, shrink=0.8, pad=0.02).ax.tick_params(labelsize=6.5)
    axis.tick_params(labelsize=6.5)
    return drawn


def _inside(places: np.ndarray) -> np.ndarray:
    low, high = np.percentile(places, REACH, axis=0)
    return ((places >= low) & (places <= high)).all(axis=1)


def _default(names: Sequence[str], covariates: PathLike | None) -> list[str]:
    """The first covariates of the GWAS that are sex or stand in their table: not genetic components."""
    there = {"sex"} | ({*read_covariate_table(covariates).columns} if covariates is not None else set())
    bare = [name for name in expand(names) if name.removeprefix("factor(").removesuffix(")") in there]
    return bare[:DEFAULT]


def _levels(name: str, values: pd.Series) -> list[tuple[str, np.ndarray]]:
    """What to draw of a covariate: its values, or for a category whether each has a level; NaN where unknown.

    Nothing, with a warning, where it does not vary.
    """
    known = values.notna() & ~values.isin(UNKNOWN)
    distinct = values[known].unique()
    if pd.api.types.is_numeric_dtype(values) and len(distinct) > 2:
        return [(shorten_middle(name), values.where(known).to_numpy(np.float64))]
    if len(distinct) < 2:
        reported = "has one value among the tested samples" if len(distinct) else "is known of no tested sample"
        log.warning("the covariate %s %s and is not drawn", name, reported)
        return []
    counts = values[known].astype(str).value_counts()
    levels = (
        [max(counts.index)] if len(counts) == 2 else sorted(counts.index, key=lambda one: (-counts[one], one))[:LEVELS]
    )
    texts = values.where(known).astype(object)
    return [
        (shorten_middle(f"{name} = {_plain(level)}") + ", share", np.where(known, texts.astype(str) == level, np.nan))
        for level in levels
    ]


def _plain(level: str) -> str:
    return level.removesuffix(".0")
