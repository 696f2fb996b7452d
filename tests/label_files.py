"""Labels and images on disk for the tests of classification and regression."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

SIZE = 32
TASK = {
    "task": "classification",
    "kind": "ordinal",
    "id": "iid",
    "column": "grade",
    "cohort": True,
    "image": None,
    "models": None,
    "size": None,
    "crop": None,
    "classes": None,
    "min_class_size": 2,
    "rare": "refuse",
    "class_weights": False,
    "arms": ["probe", "knn"],
    "shares": [0.5, 1.0],
    "folds": 3,
    "neighbours": 5,
    "steps": 20,
    "batch": 8,
    "lr": 3.0e-3,
    "trunk_lr": 0.3,
    "weight_decay": 1.0e-2,
    "augment": {"rotation": 10, "flip": True, "crop": 0.9, "brightness": 0.0, "contrast": 0.0},
    "seed": 3,
    "math_threads": 1,
    "bf16": True,
    "checkpoint": "last",
}


def outputs(folder: Path) -> tuple[Path, Path]:
    """What `write_labels` writes, in the order of its arguments."""
    place = folder / "private" / "labelled"
    return place / "labels.parquet", place / "target.json"


def write_grades(folder: Path, names: list[str], pattern: str, grades: int = 3) -> np.ndarray:
    """Write images with their grade as brightness, at `pattern` with {id}; return the grades."""
    rng = np.random.default_rng(6)
    values = rng.integers(0, grades, len(names))
    for name, grade in zip(names, values, strict=True):
        path = folder / pattern.replace("{id}", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.normal(70 + 50 * grade, 15, (SIZE, SIZE, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return values


def write_table(path: Path, **columns: object) -> Path:
    """Write a text table, with commas if the name ends in .csv."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, sep="," if path.suffix == ".csv" else "\t", index=False)
    return path
