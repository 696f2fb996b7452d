"""Labelled images on disk for the tests of segmentation: a bright square on noise, whose mask is known."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

SIZE = 32
TASK = {
    "task": "segmentation",
    "cohort": True,
    "models": None,
    "mask": "mask",
    "labels": None,
    "modality": None,
    "size": SIZE,
    "crop": "none",
    "dimensions": 2,
    "min_sd": 1.0,
    "arms": None,
    "shares": [0.5, 1.0],
    "folds": 3,
    "steps": 20,
    "batch": 4,
    "lr": 1.0e-2,
    "trunk_lr": 0.3,
    "weight_decay": 1.0e-2,
    "width": 16,
    "augment": {"rotation": 10, "flip": True, "crop": 0.9, "brightness": 0.1, "contrast": 0.1},
    "seed": 3,
    "math_threads": 1,
    "bf16": True,
    "checkpoint": "last",
}
LIGHT = {"network": "light", "encoder": "scratch", "fusion": "none", "freeze": False}


def write_masks(folder: Path, iids: list[str], size: int = SIZE, value: int = 255, column: str = "mask") -> Path:
    """A table iid image mask, PNG files in its folder; returns the table's path."""
    rng = np.random.default_rng(4)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, iid in enumerate(iids):
        side = int(rng.integers(size // 4, size // 2))
        top, left = rng.integers(0, size - side, 2)
        mask = np.zeros((size, size), np.uint8)
        mask[top : top + side, left : left + side] = value
        image = np.clip(rng.normal(70, 12, (size, size, 3)) + 90 * (mask > 0)[..., None], 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / f"P{number:03d}.png")
        Image.fromarray(mask).save(folder / f"P{number:03d}_mask.png")
        rows.append({"iid": iid, "image": f"P{number:03d}.png", column: f"P{number:03d}_mask.png"})
    pd.DataFrame(rows).to_csv(folder / "masks.tsv", sep="\t", index=False)
    return folder / "masks.tsv"


def outputs(folder: Path) -> list[Path]:
    """What `write_labelled` writes, in the order of its arguments."""
    place = folder / "private" / "labelled"
    return [place / name for name in ("labelled.parquet", "images.npy", "masks.npy", "left_out.tsv")]


def redraw(path: Path, change) -> None:
    """Change the pixels of an image file."""
    Image.fromarray(change(np.asarray(Image.open(path)).copy())).save(path)
