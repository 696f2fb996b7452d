"""Images with the outline of the mask and of the prediction: the best, the median and the worst sample of each arm."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from contigwas.plots import style
from contigwas.runtime.atomic_files import PathLike, private_folder

EXAMPLES = ("best", "median", "worst")
TRUTH, PREDICTED = "#ffffff", "#ff3b30"


def draw_overlays(shown: Mapping[str, np.ndarray], arms: Sequence[str], outputs: Sequence[PathLike]) -> None:
    """Rows of arms, columns of samples; `shown` is what `segment` wrote. Of a volume the slice with most of the mask."""
    for path in outputs:
        private_folder(Path(path).parent)  # it shows samples
    with style.applied():
        figure = Figure(figsize=(2.1 * len(EXAMPLES), 2.3 * len(arms) + 0.5), layout="constrained")
        axes = figure.subplots(len(arms), len(EXAMPLES), squeeze=False)
        for arm, row in zip(arms, axes, strict=True):
            images, masks, found, dice = (shown[f"{arm}.{name}"] for name in ("images", "masks", "predicted", "dice"))
            for place, axis in enumerate(row):
                overlay(axis, images[place], masks[place], found[place])
                axis.set_title(f"{EXAMPLES[place]}, Dice {dice[place]:.2f}", fontsize=8)
            row[0].set_ylabel(arm, fontsize=9)
        lines = [Line2D([], [], color=TRUTH, linewidth=1.5), Line2D([], [], color=PREDICTED, linewidth=1.5)]
        figure.legend(
            lines, ["mask", "prediction"], loc="outside lower center", ncols=2, facecolor="#808080", frameon=True
        )
        style.save(figure, outputs)


def overlay(axis: Axes, image: np.ndarray, mask: np.ndarray, found: np.ndarray) -> None:
    """An image (sizes …, channels) with the outlines of every class of `mask` and `found` (sizes …)."""
    if mask.ndim == 3:
        area = (mask > 0).sum(axis=(1, 2)) + (0 if (mask > 0).any() else (found > 0).sum(axis=(1, 2)))
        here = int(area.argmax()) if area.any() else len(mask) // 2
        # anterior on top, as in the montage
        image, mask, found = (one[here, ::-1] for one in (image, mask, found))
    axis.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", interpolation="nearest")
    for labels, color in ((mask, TRUTH), (found, PREDICTED)):
        for number in np.unique(labels[labels > 0]):
            axis.contour(labels == number, levels=[0.5], colors=[color], linewidths=0.9)
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
