"""Placement of labels above axes without overlap: horizontal if they fit, otherwise vertical."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

MAX_LENGTH = 22  # characters
MAX_FILLED = 0.75  # share of the row for vertical labels, which would otherwise be too far from their points
SIDE, STACK = 0.1, 0.035  # inches between horizontal labels, and between vertical labels


@dataclass(frozen=True)
class Placed:
    """Placed labels.

    number: position of each label in the input; centre, widths: centre and width along the row in inches; upright:
    whether labels are rotated by 90 degrees; height: height of the row in inches.
    """

    number: np.ndarray
    centre: np.ndarray
    widths: np.ndarray
    upright: bool
    height: float


def shorten(label: str) -> str:
    """Return the label with at most 22 characters, shortened at the end."""
    return label if len(label) <= MAX_LENGTH else label[: MAX_LENGTH - 1] + "…"


def shorten_middle(label: str) -> str:
    """Return the label with at most 22 characters, shortened in the middle, because names often differ at the end.

    >>> shorten_middle("a_long_feature_name_1234")
    'a_long_fea…e_name_1234'
    """
    half = (MAX_LENGTH - 1) // 2
    return label if len(label) <= MAX_LENGTH else f"{label[:half]}…{label[half + 1 - MAX_LENGTH :]}"


def spread(wanted: np.ndarray, widths: np.ndarray, high: float) -> np.ndarray:
    """Return centres of intervals of `widths` in [0, high] that are nearest to `wanted` and do not overlap.

    `wanted` is ascending, and the widths have to fit. The order is kept. The least-squares solution is an isotonic
    regression after subtraction of the widths.
    """
    offset = np.concatenate([[0.0], np.cumsum((widths[:-1] + widths[1:]) / 2)])
    free = isotonic_regression(wanted - offset).x
    return np.clip(free, widths[0] / 2, high - widths[-1] / 2 - offset[-1]) + offset


def place(labels: Sequence[str], wanted: np.ndarray, strength: np.ndarray, high: float, **font: object) -> Placed:
    """Place labels near `wanted` (inches from the left of axes that are `high` inches wide).

    If vertical labels do not fit either, only the strongest are placed. `font` has properties of the text.
    """
    measured = np.array([measure(label, **font) for label in labels]).reshape(-1, 2)
    number = np.argsort(wanted, kind="stable")
    upright = bool((measured[:, 0] + SIDE).sum() > 0.9 * high)
    widths = measured[:, 1] + STACK if upright else measured[:, 0] + SIDE
    if upright:
        strongest = np.argsort(-strength, kind="stable")
        fitting = strongest[np.cumsum(widths[strongest]) <= MAX_FILLED * high]
        number = number[np.isin(number, fitting)]
    if not len(number):
        return Placed(number, np.empty(0), np.empty(0), upright, 0.0)
    centre = spread(np.asarray(wanted)[number], widths[number], high)
    height = measured[number, 0 if upright else 1].max()
    return Placed(number, centre, widths[number], upright, float(height))


def fitting(text: str, width: float, **font: object) -> dict[str, object]:
    """Return the font with a size at which the text is at most `width` inches wide; `fontsize` is the maximum."""
    wide = measure(text, **font)[0]
    return {**font, "fontsize": font["fontsize"] * min(1.0, width / wide if wide else 1.0)}


def measure(text: str, **font: object) -> tuple[float, float]:
    """Return width and height of a text in inches."""
    figure = Figure(dpi=200)
    box = figure.text(0, 0, text, **font).get_window_extent(FigureCanvasAgg(figure).get_renderer())
    return box.width / 200, box.height / 200
