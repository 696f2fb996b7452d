"""Find the round field of view of a fundus photograph from the edges of its dark surround."""

from dataclasses import dataclass

import numpy as np

RIM = 0.12  # threshold between surround (0) and retina (1): the rim of a vignetted photograph is much darker
MIN_POINTS = 12
ROUNDS = 6


@dataclass(frozen=True)
class Field:
    """A circle in pixel coordinates (the centre of the first pixel is 0.5), or a square if `round` is false."""

    x: float
    y: float
    radius: float
    round: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the square around the field; may extend beyond the photograph."""
        return self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius


def find_field(grey: np.ndarray) -> Field | None:
    """Find the field of view in `grey` (height, width); None if there is no dark surround.

    Every row and column gives its first and last pixel above a threshold between the brightness of the corners and of
    the retina. A circle is fitted to these points by least squares (Kasa 1976). Outliers (dark edges, labels, straight
    cuts at the frame) are removed before the next fit. If no circle fits, the square around the bright pixels is
    returned.
    """
    grey = np.asarray(grey, dtype=np.float64)
    surround = _corners(grey)
    retina = float(np.percentile(grey, 80))
    if retina - surround < 8:
        return None
    bright = grey > max(surround + RIM * (retina - surround), surround + 4)
    circle = _fit(*_edges(bright), grey.shape)
    return circle if circle is not None else _bounding_square(bright)


def _corners(grey: np.ndarray) -> float:
    """Return the median brightness of the four corners, one of which may hold a label."""
    side = max(2, min(grey.shape) // 32)
    corners = (grey[:side, :side], grey[:side, -side:], grey[-side:, :side], grey[-side:, -side:])
    return float(np.median([np.median(corner) for corner in corners]))


def _edges(bright: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the outer edges of `bright` along rows and columns, except edges on the frame."""
    xs, ys = [], []
    for mask, along, across in ((bright, xs, ys), (bright.T, ys, xs)):
        length = mask.shape[1]
        lines = np.flatnonzero(mask.any(axis=1))
        first = mask[lines].argmax(axis=1)
        last = length - mask[lines, ::-1].argmax(axis=1)
        for position in (first, last):
            inside = (position > 1) & (position < length - 1)
            along.append(position[inside].astype(float))
            across.append(lines[inside] + 0.5)
    return np.concatenate(xs), np.concatenate(ys)


def _fit(x: np.ndarray, y: np.ndarray, size: tuple[int, int]) -> Field | None:
    """Fit a circle to points, with outlier removal; None if it is implausible."""
    height, width = size
    inliers = np.ones(len(x), dtype=bool)
    for _ in range(ROUNDS):
        if inliers.sum() < MIN_POINTS:
            return None
        design = np.column_stack([2 * x[inliers], 2 * y[inliers], np.ones(int(inliers.sum()))])
        (a, b, c), *_ = np.linalg.lstsq(design, x[inliers] ** 2 + y[inliers] ** 2, rcond=None)
        squared = c + a**2 + b**2
        if squared <= 0:
            return None
        radius = float(np.sqrt(squared))
        distance = np.abs(np.hypot(x - a, y - b) - radius)
        inliers = distance <= max(1.0, 3 * float(np.median(distance[inliers])))
    plausible = 0 <= a <= width and 0 <= b <= height and 0.2 * min(size) <= radius <= 0.75 * max(size)
    if not plausible or float(np.median(distance)) > 0.05 * radius:
        return None
    return Field(float(a), float(b), radius, round=True)


def _bounding_square(bright: np.ndarray) -> Field | None:
    """Return the square around the rows and columns with at least 2 % bright pixels."""
    columns = np.flatnonzero(bright.mean(axis=0) > 0.02)
    rows = np.flatnonzero(bright.mean(axis=1) > 0.02)
    if not len(columns) or not len(rows):
        return None
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    return Field((left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top) / 2, round=False)
