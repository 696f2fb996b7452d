"""Private figure: a grid of random images as the networks see them, without sample IDs."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from contigwas.runtime.atomic_files import PathLike, private_folder, replacing
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)
STAGE = 8101  # part of the random seeds, so that no two stages share random numbers
MIN_TILE, GAP = 96, 4  # pixels: minimum width of an image in the grid, and distance between images


def montage(
    images_npy: PathLike,
    images_table: PathLike,
    outputs: Sequence[PathLike],
    rows: int = 5,
    columns: int = 10,
    seed: int = 0,
) -> None:
    """Write a grid of `rows` x `columns` kept images, drawn without replacement, to `outputs` (PNG).

    `images_npy` is (images, size, size, 3) uint8, or has volumes, whose middle slices are shown. `row` of
    `images_table` is the position of each `kept` image in it. Small images are enlarged by an integer factor. With too
    few images the rest of the grid is white. Raises UserError if there is no image to show, or if array and table do
    not match.
    """
    if rows < 1 or columns < 1:
        raise UserError(f"a montage of {rows} x {columns} images is empty: set at least one row and one column")
    table = pd.read_parquet(require(images_table, "the table of images"), columns=["row", "kept"])
    images = np.load(require(images_npy, "the images"), mmap_mode="r")
    kept = table.loc[table["kept"].astype(bool) & (table["row"] >= 0), "row"].to_numpy()
    if not len(kept):
        raise UserError(f"{images_table} has no kept image: check images.qc in the config")
    if kept.max() >= len(images):
        raise UserError(f"{images_table} has images that are not in {images_npy}: run the images stage again")
    rng = np.random.default_rng([seed, STAGE])
    drawn = rng.choice(np.sort(kept), min(rows * columns, len(kept)), replace=False)
    tiles = [shown(images[one]) for one in drawn]
    canvas = Image.fromarray(grid(tiles, rows, columns))
    for path in outputs:
        private_folder(Path(path).parent)
        with replacing(path) as temporary:
            canvas.save(temporary)
    log.info("montage of %d of %d kept images", len(tiles), len(kept))


def shown(image: np.ndarray) -> np.ndarray:
    """Return a photograph (size, size, 3), or the middle slice of a volume (size, size, size, 1), anterior on top."""
    if image.ndim == 3:
        return image
    return image[len(image) // 2, ::-1].repeat(3, axis=2)


def grid(tiles: Sequence[np.ndarray], rows: int, columns: int) -> np.ndarray:
    """Return tiles (size, size, 3) uint8 in a grid on white: uint8 (height, width, 3), without empty rows."""
    rows = min(rows, -(-len(tiles) // columns))
    times = -(-MIN_TILE // len(tiles[0]))
    step = len(tiles[0]) * times + GAP
    canvas = np.full((rows * step + GAP, columns * step + GAP, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (GAP + place * step for place in divmod(number, columns))
        large = tile.repeat(times, axis=0).repeat(times, axis=1)
        canvas[top : top + len(large), left : left + len(large)] = large
    return canvas
