"""Labels above axes that never overlap: side by side where they fit, upright where they do not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

LONGEST = 22  # characters
FULL = 0.75  # share of the row that upright labels may fill: a full row stands too far from its points
SIDE, STACK = 0.1, 0.035  # inches between labels side by side, and between upright ones


@dataclass(frozen=True)
class Placed:
    """Labels with a place: `number` of each in what was given, its `centre` (inches), and how they stand.

    upright: turned by 90 degrees. height: inches that the row of labels takes. widths: inches of each along the row.
    """

    number: np.ndarray
    centre: np.ndarray
    widths: np.ndarray
    upright: bool
    height: float


def shorten(label: str) -> str:
    """A label of at most 22 characters."""
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def shorten_middle(label: str) -> str:
    """A label of at most 22 characters that keeps its end: features of one kind differ there.

    >>> shorten_middle("a_long_feature_name_1234")
    'a_long_fea…e_name_1234'
    """
    half = (LONGEST - 1) // 2
    return label if len(label) <= LONGEST else f"{label[:half]}…{label[half + 1 - LONGEST :]}"


def spread(wanted: np.ndarray, widths: np.ndarray, high: float) -> np.ndarray:
    """Centres of intervals of `widths` inside [0, high] that keep their order, do not overlap, and move least.

    `wanted` ascends; the widths must fit. Least squares: an isotonic regression once the widths are taken out.
    """
    offset = np.concatenate([[0.0], np.cumsum((widths[:-1] + widths[1:]) / 2)])
    free = isotonic_regression(wanted - offset).x
    return np.clip(free, widths[0] / 2, high - widths[-1] / 2 - offset[-1]) + offset


def place(labels: Sequence[str], wanted: np.ndarray, strength: np.ndarray, high: float, **font: object) -> Placed:
    """Put labels near the places `wanted` (inches from the left of axes `high` wide).

    Where not all fit even upright, the strongest get one. `font`: properties of the text.
    """
    measured = np.array([measure(label, **font) for label in labels]).reshape(-1, 2)
    number = np.argsort(wanted, kind="stable")
    upright = bool((measured[:, 0] + SIDE).sum() > 0.9 * high)
    widths = measured[:, 1] + STACK if upright else measured[:, 0] + SIDE
    if upright:
        strongest = np.argsort(-strength, kind="stable")
        fitting = strongest[np.cumsum(widths[strongest]) <= FULL * high]
        number = number[np.isin(number, fitting)]
    if not len(number):
        return Placed(number, np.empty(0), np.empty(0), upright, 0.0)
    centre = spread(np.asarray(wanted)[number], widths[number], high)
    height = measured[number, 0 if upright else 1].max()
    return Placed(number, centre, widths[number], upright, float(height))


def fitting(text: str, width: float, **font: object) -> dict[str, object]:
    """The font in the size in which the text is at most `width` inches wide; `font` holds the largest `fontsize`."""
    wide = measure(text, **font)[0]
    return {**font, "fontsize": font["fontsize"] * min(1.0, width / wide if wide else 1.0)}


def measure(text: str, **font: object) -> tuple[float, float]:
    """Width and height of a text in inches."""
    figure = Figure(dpi=200)
    box = figure.text(0, 0, text, **font).get_window_extent(FigureCanvasAgg(figure).get_renderer())
    return box.width / 200, box.height / 200
