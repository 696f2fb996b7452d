"""Common style of all figures, and writing of figures as files that are complete or absent."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contigwas.plots.labels import shorten_middle
from contigwas.runtime.atomic_files import PathLike, replacing

DPI = 200
INK, MUTED, FAINT = "#22303c", "#71808e", "#d5dbe1"
DARK, LIGHT, HIT = "#2b5d87", "#86adc9", "#d1495b"
# palette of Okabe and Ito for colour-blind readers, without yellow, which is too light for lines
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#5b5b5b")
TESTS: Mapping[str, str] = {"minp": "min-p", "manova": "MANOVA", "acat": "ACAT"}
_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.solid_capstyle": "round",
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
}


def applied() -> AbstractContextManager:
    """Return a context manager that applies the style to figures created in the `with` block."""
    return mpl.rc_context(_RC)


def save(figure: Figure, outputs: Sequence[PathLike]) -> None:
    """Write the figure to each path in the format of its suffix. PDF has no date, so that reruns are identical."""
    for path in outputs:
        metadata = {"CreationDate": None} if Path(path).suffix == ".pdf" else None
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=DPI, metadata=metadata)


def say(axis: Axes, sentence: str) -> None:
    """Write a message in the middle of empty axes."""
    axis.text(0.5, 0.5, sentence, transform=axis.transAxes, ha="center", va="center", fontsize=10, color=MUTED)


def short_name(test: str) -> str:
    """Return the name of a test for the label of an axis."""
    return TESTS.get(test) or shorten_middle(test)


def name_of_test(test: str) -> str:
    """Return the name of a test for a subtitle.

    >>> name_of_test("manova"), name_of_test("PC3")
    ('MANOVA over all features', 'feature PC3')
    """
    return f"{TESTS[test]} over all features" if test in TESTS else f"feature {test}"


def p_text(p: float) -> str:
    """Return a p-value as text for a caption.

    >>> p_text(5e-8), p_text(0.05)
    ('5 × 10⁻⁸', '0.05')
    """
    if p >= 1e-3:
        return f"{p:g}"
    mantissa, power = f"{p:.2e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    number = f"{float(mantissa):g}"
    return f"10{raised}" if number == "1" else f"{number} × 10{raised}"


class HeightScale:
    """Scale of -log10 p on a y axis: linear up to `knee`, and logarithmic above it if the largest value is far above.

    `knee` is infinite if no compression is needed. The linear part has at least half of the height.
    """

    def __init__(self, top: float, threshold: float = 0.0) -> None:
        """Set up the scale for values up to `top`, with `threshold` in the linear part."""
        self.top = max(float(top), threshold * 1.15, 1.0)
        knee = max(15.0, 1.6 * threshold)
        self.knee = knee if self.top > 2 * knee else np.inf
        self._rise = knee * min(1.0, 1 / np.log(self.top / knee)) if self.compressed else 0.0

    @property
    def compressed(self) -> bool:
        """Whether a part of the axis is logarithmic."""
        return bool(np.isfinite(self.knee))

    def forward(self, value: np.ndarray) -> np.ndarray:
        """Return the height of -log10 p, in units of the linear part."""
        value = np.asarray(value, dtype=float)
        if not self.compressed:
            return value
        return np.where(
            value <= self.knee, value, self.knee + self._rise * np.log(np.maximum(value, self.knee) / self.knee)
        )

    def inverse(self, height: np.ndarray) -> np.ndarray:
        """Return the -log10 p at a height."""
        height = np.asarray(height, dtype=float)
        if not self.compressed:
            return height
        with np.errstate(over="ignore"):
            above = self.knee * np.exp((np.maximum(height, self.knee) - self.knee) / self._rise)
        return np.where(height <= self.knee, height, above)

    @property
    def note(self) -> str:
        """Addition to the label of the axis."""
        return f" (log scale above {self.knee:.3g})" if self.compressed else ""

    def limit(self, room: float = 1.04) -> float:
        """Return the upper limit of the axis, slightly above the top."""
        return float(self.inverse(self.forward(self.top) * room))

    def ticks(self) -> list[float]:
        """Return about eight round values that are not too close to each other."""
        linear = mpl.ticker.MaxNLocator(5, integer=True).tick_values(0, min(self.top, self.knee))
        ticks = [float(one) for one in linear if 0 <= one <= min(self.limit(), self.knee)]
        min_distance = self.forward(self.limit()) / 14
        for value in (base * 10**power for power in range(1, 7) for base in (1, 2, 3, 5)):
            if self.knee < value <= self.limit() and self.forward(value) - self.forward(ticks[-1]) >= min_distance:
                ticks.append(float(value))
        return ticks

    def apply(self, axis: Axes) -> None:
        """Set scale, limits and ticks of the y axis; a dotted line marks the start of the logarithmic part."""
        if self.compressed:
            axis.set_yscale("function", functions=(self.forward, self.inverse))
            axis.axhline(self.knee, color=FAINT, linestyle=(0, (1, 2)), linewidth=0.8, zorder=0)
        axis.set_ylim(0, self.limit())
        axis.yaxis.set_major_locator(mpl.ticker.FixedLocator(self.ticks()))
        axis.yaxis.set_minor_locator(mpl.ticker.NullLocator())
        axis.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
