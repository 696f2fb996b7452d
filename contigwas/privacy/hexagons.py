"""Hexagonal binning of samples, so that no figure shows a single sample."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from contigwas.privacy.small_counts import MIN_COUNT

TOO_FEW = f"no hexagon of {MIN_COUNT} samples"


def hexagons(
    axis: Axes, places: np.ndarray, limits: np.ndarray, gridsize: int, **options: object
) -> PolyCollection | None:
    """Draw the hexagons with at least 5 of the samples at `places` (samples, 2), coloured by their number of samples.

    `limits` (2, 2) holds the minimum and the maximum of the grid on each axis, `gridsize` is the number of hexagons
    per row, and `options` are passed to `Axes.hexbin`. Returns the collection, or None if every hexagon has fewer
    samples.
    """
    if len(places) < MIN_COUNT:
        return None
    extent = [edge for low, high in limits for edge in (low, high + (low == high))]
    collection = axis.hexbin(*places.T, gridsize=gridsize, extent=extent, mincnt=MIN_COUNT, linewidths=0.2, **options)
    if not len(np.ma.compressed(collection.get_array())):
        collection.remove()
        return None
    half = [(high - low) / gridsize for low, high in (extent[:2], extent[2:])]  # shows hexagons on the edge completely
    axis.set(xlim=(extent[0] - half[0], extent[1] + half[0]), ylim=(extent[2] - half[1], extent[3] + half[1]))
    return collection


def span(places: np.ndarray) -> np.ndarray:
    """Return the limits of `places` (samples, 2) on each axis: (2, 2), minimum and maximum.

    Four samples lie beyond each limit, so that no limit discloses the extreme value of a sample. With fewer than ten
    samples these are the full limits, because no hexagon is drawn then that could show them.
    """
    ordered = np.sort(places, axis=0)
    skipped = MIN_COUNT - 1 if len(places) >= 2 * MIN_COUNT else 0
    return np.column_stack([ordered[skipped], ordered[-1 - skipped]])
