"""Samples with a photograph and three modalities each, as the stages before pretrain write them, and as JPEGs."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from contigwas.images.store import write_images
from contigwas.runtime.atomic_files import write_tsv
from contigwas.simulate.fundus import render
from contigwas.tables.anndata_io import write_modality

DRAWN = 32  # photographs drawn at a time
QC = {"min_sd": 0, "darkest": 0, "brightest": 0}


def write_data(folder: Path, samples: int, size: int, jpeg: int, widths: Mapping[str, int]) -> dict[str, object]:
    """Write the data set if it does not exist; returns the arguments of `contigwas.pretrain.train` that name the files.

    JPEGs of `jpeg` pixels, decoded once to `size`; SNPs int8 0 … 2, scores float32, burdens int8 of few carriers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    iids = pd.Index([f"P{number:05d}" for number in range(samples)])
    paths = jpegs(folder, samples)
    named = {
        "cohort": folder / "cohort.tsv",
        "images_npy": folder / "images.npy",
        "images_table": folder / "images.parquet",
        "modalities": {name: folder / f"{name}.h5ad" for name in widths},
    }
    if named["images_table"].exists():
        return named
    rng = np.random.default_rng(1)
    paths[0].parent.mkdir(exist_ok=True)
    with ProcessPoolExecutor() as pool:
        parts = [paths[start : start + DRAWN] for start in range(0, samples, DRAWN)]
        list(pool.map(_draw, parts, [jpeg] * len(parts), range(len(parts))))
    cohort = {"fid": iids, "iid": iids, "sex": 1, "family": iids, "fold": 0, "gwas_included": 1, "exclusion": ""}
    write_tsv(pd.DataFrame(cohort).assign(gwas_exclusion=""), named["cohort"])
    for name, width in widths.items():
        features = pd.DataFrame(index=[f"{name}{number}" for number in range(width)])
        write_modality(named["modalities"][name], raw(name, samples, width, rng), iids, features, {})
    write_tsv(pd.DataFrame({"iid": iids, "path": [f"jpeg/{path.name}" for path in paths]}), folder / "images.tsv")
    settings = {"size": size, "crop": "none", "qc": QC}
    outputs = [named["images_npy"], named["images_table"], folder / "private/dropped.tsv"]
    write_images(folder / "images.tsv", named["cohort"], settings, *outputs)
    return named


def _draw(paths: Sequence[Path], size: int, seed: int) -> None:
    rng = np.random.default_rng([1, seed])
    pictures = render(rng.standard_normal((len(paths), 6)), np.zeros(len(paths), bool), size, 1.0, rng)
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path, quality=90)


def jpegs(folder: Path, samples: int) -> list[Path]:
    """Return the folder of the photographs."""
    return [folder / "jpeg" / f"{number:05d}.jpg" for number in range(samples)]


def raw(name: str, samples: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return the values of a modality (samples, width)."""
    if name == "pgs":
        return rng.standard_normal((samples, width), np.float32)
    if name == "burden":
        carried = (rng.random((samples, width), np.float32) < 0.02).astype(np.int8)
        carried[0] = 1  # a feature without carriers would be left out
        return carried
    return rng.integers(0, 3, (samples, width), np.int8)
