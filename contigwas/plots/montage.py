"""A grid of photographs as the network sees them, drawn at random, without a word on whose they are."""

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
STAGE = 8101  # of the random numbers: no other stage draws the same
TILE, GAP = 96, 4  # pixels: the least width of a photograph in the grid, and between two


def montage(
    images_npy: PathLike,
    images_table: PathLike,
    outputs: Sequence[PathLike],
    rows: int = 5,
    columns: int = 10,
    seed: int = 0,
) -> None:
    """Write a grid of `rows` x `columns` kept images, drawn without replacement, to `outputs` (PNG).

    `images_npy` is (images, size, size, 3) uint8, or holds volumes, whose middle slices are shown; `images_table` says
    in `row` where each `kept` image stands in it. Small images are enlarged by whole pixels. Places are left white
    where there are fewer images.
    """
    if rows < 1 or columns < 1:
        raise UserError(f"a montage of {rows} x {columns} images holds none: ask for one row and one column at least")
    table = pd.read_parquet(require(images_table, "the table of images"), columns=["row", "kept"])
    images = np.load(require(images_npy, "the images"), mmap_mode="r")
    kept = table.loc[table["kept"].astype(bool) & (table["row"] >= 0), "row"].to_numpy()
    if not len(kept):
        raise UserError(f"{images_table} keeps no image: nothing can be shown")
    if kept.max() >= len(images):
        raise UserError(f"{images_table} names images that {images_npy} has not: run the images stage again")
    rng = np.random.default_rng([seed, STAGE])
    drawn = rng.choice(np.sort(kept), min(rows * columns, len(kept)), replace=False)
    tiles = [shown(images[one]) for one in drawn]
    picture = Image.fromarray(grid(tiles, rows, columns))
    for path in outputs:
        private_folder(Path(path).parent)  # photographs show samples
        with replacing(path) as temporary:
            picture.save(temporary)
    log.info("%d of %d kept images shown", len(tiles), len(kept))


def shown(image: np.ndarray) -> np.ndarray:
    """A photograph (size, size, 3), or the middle slice of a volume (size, size, size, 1) in grey, anterior on top."""
    if image.ndim == 3:
        return image
    return image[len(image) // 2, ::-1].repeat(3, axis=2)


def grid(tiles: Sequence[np.ndarray], rows: int, columns: int) -> np.ndarray:
    """Tiles (size, size, 3) uint8 side by side on white: uint8 (height, width, 3). Empty rows are left out."""
    rows = min(rows, -(-len(tiles) // columns))
    times = -(-TILE // len(tiles[0]))
    step = len(tiles[0]) * times + GAP
    canvas = np.full((rows * step + GAP, columns * step + GAP, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (GAP + place * step for place in divmod(number, columns))
        large = tile.repeat(times, axis=0).repeat(times, axis=1)
        canvas[top : top + len(large), left : left + len(large)] = large
    return canvas
