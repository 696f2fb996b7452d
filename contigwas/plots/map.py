"""Map of the samples in the feature space of a model: hexagons of several samples, coloured by covariates."""

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
MAX_DEFAULT = 4  # covariates, if the config names none
MAX_LEVELS = 3  # most frequent levels of a category
PER_HEXAGON = 12  # samples on average
PANELS_PER_ROW = 3
PERCENTILES = 1, 99  # range of the map, so that its edge does not disclose a single sample


def plot_map(
    embeddings: PathLike,
    cohort: PathLike,
    covariates: PathLike | None,
    pcs: PathLike | None,
    settings: Mapping[str, object],
    outputs: Sequence[PathLike],
    title: str = "",
) -> Figure:
    """Draw the tested samples on two dimensions of the features, with covariates averaged over hexagons.

    `settings` has method (pca or umap), seed and colour (names of covariates; None: the first 4 of
    settings["covariates"], the list of the GWAS, that are sex or columns of the table of covariates). A number is shown
    as its mean; a text, or a number with two values, as the share of samples with a level. A hexagon holds at least 5
    samples with a value. Returns the figure, which shows a message if there are too few samples. Raises UserError for
    features that are not finite and for an unknown covariate.
    """
    iids, features = features_of_tested(embeddings)
    places, axes = project(features, str(settings["method"]), int(settings["seed"]))
    samples = read_cohort(cohort)
    names = settings["colour"]
    if names is None:
        names = _default(settings["covariates"], covariates)
    table = read_covariates(names, covariates, pcs, samples, "plots.map.colour").reindex(iids)
    by_covariate = {name: _covariate_panels(name, table[name]) for name in table.columns}
    shown = [("samples", None), *(one for parts in by_covariate.values() for one in parts)]
    coloured = [name for name, parts in by_covariate.items() if parts]
    inside = _within_range(places)
    with style.applied():
        n_columns = min(PANELS_PER_ROW, len(shown))
        n_rows = -(-len(shown) // n_columns)
        figure = Figure(figsize=(0.4 + 2.9 * n_columns, 0.5 + 2.6 * n_rows), layout="constrained")
        panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
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
    """Return the tested samples and their standardised features that vary: float64 (samples, features).

    Raises UserError if a feature is not finite or no feature varies.
    """
    data = read_modality(embeddings)
    data = data[data.obs["gwas_eligible"].to_numpy(bool)]
    features = np.asarray(data.X, np.float64)
    invalid = ~np.isfinite(features).all(axis=1)
    if invalid.any():
        raise UserError(
            f"{embeddings}: features are not finite numbers for {int(invalid.sum())} of {len(invalid)} tested samples. "
            "Remove these samples from the file, or train again with a smaller lr."
        )
    sd = features.std(axis=0)
    varies = sd > 1e-9 * np.abs(features).max(axis=0, initial=0)
    if not varies.any():
        raise UserError(
            f"{embeddings}: no feature varies among the {len(invalid)} tested samples. Supply other features, or "
            "remove the model."
        )
    return data.obs_names.astype(str), (features[:, varies] - features[:, varies].mean(axis=0)) / sd[varies]


def project(features: np.ndarray, method: str, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    """Return two dimensions (samples, 2) of standardised `features`, and the labels of their axes.

    pca: the first two principal components, with positive largest loadings. umap: the embedding of umap-learn with
    `seed`; raises UserError if it is not installed.
    """
    if method == "umap":
        try:
            from umap import UMAP
        except ImportError:
            raise UserError(
                "config: plots.map.method is umap, but umap-learn is not installed: run pip install 'contigwas[umap]', "
                "or set it to pca"
            ) from None
        return np.asarray(UMAP(random_state=seed, n_jobs=1).fit_transform(features), np.float64), ("UMAP 1", "UMAP 2")
    values, vectors = np.linalg.eigh(features.T @ features / len(features))
    loadings = vectors[:, ::-1][:, :2]
    if loadings.shape[1] == 1:
        return np.column_stack([features @ loadings, np.zeros(len(features))]), ("feature", "")
    loadings = loadings * np.sign(loadings[np.abs(loadings).argmax(axis=0), [0, 1]])
    shares = values[::-1][:2] / values.sum()
    one, two = (f"component {place} ({100 * share:.0f} %)" for place, share in enumerate(shares, 1))
    return features @ loadings, (one, two)


def coloured_hexagons(
    figure: Figure, axis: Axes, places: np.ndarray, values: np.ndarray | None
) -> PolyCollection | None:
    """Draw hexagons of at least 5 samples at `places` (samples, 2), coloured by the mean of `values` (samples,).

    NaN in `values` is missing. If `values` is None, the colour is the number of samples. Returns the hexagons; without
    any, it writes a message into the axes and returns None.
    """
    present = np.ones(len(places), bool) if values is None else np.isfinite(values)
    per_row = int(np.clip(np.sqrt(len(places) / PER_HEXAGON), 5, 40))
    by_mean = {} if values is None else {"C": values[present], "reduce_C_function": np.mean}
    drawn = None
    if present.any():
        limits = np.column_stack([places.min(axis=0), places.max(axis=0)])
        cmap = "Blues" if values is None else "viridis"
        drawn = hexagons(axis, places[present], limits, per_row, cmap=cmap, **by_mean)
    if drawn is None:
        style.say(axis, TOO_FEW)
        return None
    means = np.ma.compressed(drawn.get_array())
    low, high = (0, np.max(means)) if values is None else np.percentile(means, [2, 98])
    drawn.set_clim(low, high if high > low else low + 1e-9)
    figure.colorbar(drawn, ax=axis, shrink=0.8, pad=0.02).ax.tick_params(labelsize=6.5)
    axis.tick_params(labelsize=6.5)
    return drawn


def _within_range(places: np.ndarray) -> np.ndarray:
    low, high = np.percentile(places, PERCENTILES, axis=0)
    return ((places >= low) & (places <= high)).all(axis=1)


def _default(names: Sequence[str], covariates: PathLike | None) -> list[str]:
    """Return the first covariates of the GWAS that are sex or columns of their table, without genetic components."""
    available = {"sex"} | ({*read_covariate_table(covariates).columns} if covariates is not None else set())
    bare = [name for name in expand(names) if name.removeprefix("factor(").removesuffix(")") in available]
    return bare[:MAX_DEFAULT]


def _covariate_panels(name: str, values: pd.Series) -> list[tuple[str, np.ndarray]]:
    """Return titles and values of the panels of a covariate: its values, or 0/1 for each level of a category.

    Missing values are NaN. A covariate that does not vary has no panel, and a warning is logged.
    """
    present = values.notna() & ~values.isin(UNKNOWN)
    distinct = values[present].unique()
    if pd.api.types.is_numeric_dtype(values) and len(distinct) > 2:
        return [(shorten_middle(name), values.where(present).to_numpy(np.float64))]
    if len(distinct) < 2:
        reason = "has one value among the tested samples" if len(distinct) else "is missing for all tested samples"
        log.warning("the covariate %s %s and is not drawn", name, reason)
        return []
    counts = values[present].astype(str).value_counts()
    levels = (
        [max(counts.index)]
        if len(counts) == 2
        else sorted(counts.index, key=lambda one: (-counts[one], one))[:MAX_LEVELS]
    )
    texts = values.where(present).astype(object)
    return [
        (shorten_middle(f"{name} = {_plain(level)}") + ", share", np.where(present, texts.astype(str) == level, np.nan))
        for level in levels
    ]


def _plain(level: str) -> str:
    return level.removesuffix(".0")
