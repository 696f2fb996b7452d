"""Hexagons of several samples in a plane: no figure draws a sample by themselves."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from contigwas.privacy.small_counts import LEAST

TOO_FEW = f"no hexagon of {LEAST} samples"


def hexagons(axis: Axes, places: np.ndarray, reach: np.ndarray, across: int, **chosen: object) -> PolyCollection | None:
    """Draw the hexagons that hold at least 5 of the samples at `places` (samples, 2), by how many they hold.

    The grid spans `reach`, (2, 2): the least and the largest place each way, with `across` hexagons in a line; `chosen`
    goes to `Axes.hexbin`. Returns what is drawn, or None where no hexagon has as many samples.
    """
    if len(places) < LEAST:
        return None
    extent = [edge for low, high in reach for edge in (low, high + (low == high))]
    drawn = axis.hexbin(*places.T, gridsize=across, extent=extent, mincnt=LEAST, linewidths=0.2, **chosen)
    if not len(np.ma.compressed(drawn.get_array())):
        drawn.remove()
        return None
    half = [(high - low) / across for low, high in (extent[:2], extent[2:])]  # a hexagon on the edge is seen whole
    axis.set(xlim=(extent[0] - half[0], extent[1] + half[0]), ylim=(extent[2] - half[1], extent[3] + half[1]))
    return drawn


def span(places: np.ndarray) -> np.ndarray:
    """How far `places` (samples, 2) reach each way, (2, 2), with four samples beyond each edge: it is nobody's extreme.

    Of fewer than ten samples it is the whole span, of which no hexagon tells.
    """
    ordered = np.sort(places, axis=0)
    beyond = LEAST - 1 if len(places) >= 2 * LEAST else 0
    return np.column_stack([ordered[beyond], ordered[-1 - beyond]])
