"""One fundus-like picture an eye for the samples of a cohort, as files and a table; some of the files are unusable."""

import io
import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from contigwas.runtime.atomic_files import PathLike, replacing, sweep, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.simulate.fundus import render
from contigwas.simulate.groups import choose_groups, mark
from contigwas.simulate.settings import GROUPS, LATENTS
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)

STREAM = 100  # apart from the cohort's streams of random numbers
EYES = ("left", "right")
EYE_SD = 0.15  # how far an eye is from its sample's latents
BATCH = 128  # pictures drawn at once
FAULTS = ("black", "blank", "truncated")


def simulate_images(latents: PathLike, folder: PathLike, settings: Mapping, seed: int) -> None:
    """Write `folder`/images/*.png and `folder`/images.tsv (iid, eye, visit, path) from the table of latents.

    A share `missing_rate` of the samples has no picture; `unusable_images` files are black, blank or cut off, each of
    another sample where there are enough. File names say nothing about the sample. With a block `groups` in the
    settings the pictures carry the marks of their sample's group, and `folder`/groups.tsv (iid group) has everyone's.
    Raises UserError when more files shall be unusable than there are.
    """
    folder = Path(folder)
    samples = read_table(latents, ("iid", *LATENTS), "simulate.folder")

    def stream(*purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, STREAM, *purpose])

    many = len(samples)
    seen = np.sort(stream(0).permutation(many)[round(settings["missing_rate"] * many) :])
    unusable = int(settings["unusable_images"])
    require_unusable(unusable, 2 * len(seen))
    traits = np.repeat(samples[list(LATENTS)].to_numpy(np.float64)[seen], 2, axis=0)
    traits += EYE_SD * stream(1).standard_normal(traits.shape)
    traits *= settings["groups"]["traits"] if "groups" in settings else 1.0
    numbers = stream(2).permutation(len(traits))
    table = pd.DataFrame(
        {
            "iid": np.repeat(samples["iid"].to_numpy()[seen], 2),
            "eye": np.tile(EYES, len(seen)),
            "visit": 0,
            "path": [f"images/{number:06d}.png" for number in numbers],
        }
    )
    grouped = "groups" in settings
    faults = choose_faults(unusable, len(seen), 2, stream(3))
    groups = (
        np.repeat(_write_groups(samples["iid"], folder, settings["groups"], stream(5))[seen], 2) if grouped else None
    )
    (folder / "images").mkdir(parents=True, exist_ok=True)
    sweep(folder / "images")
    starts = range(0, len(table), BATCH)
    with ThreadPoolExecutor(2) as pool:
        for batch, start in enumerate(tqdm(starts, desc="render", unit="batch", disable=None)):
            rows = slice(start, min(start + BATCH, len(table)))
            right = (table["eye"][rows] == "right").to_numpy()
            size, nuisance = settings["image_size"], settings["nuisance"]
            marks = None
            if grouped:
                strength = settings["groups"]["strength"]
                marks = partial(mark, groups=groups[rows], strength=strength, rng=stream(6, batch))
            pictures = render(traits[rows], right, size, nuisance, stream(4, batch), marks)
            jobs = [
                pool.submit(_save, folder / table["path"][row], pictures[row - start], faults.get(row))
                for row in range(rows.start, rows.stop)
            ]
            for job in jobs:
                job.result()
    remove_others(folder, set(table["path"]))
    write_tsv(table.sort_values("path", ignore_index=True), folder / "images.tsv")
    log.info(
        "%d images of %d samples (%d samples have none); %d are unusable: %s",
        len(table), len(seen), many - len(seen), len(faults),
        ", ".join(f"{list(faults.values()).count(one)} {one}" for one in FAULTS),
    )  # fmt: skip


def _write_groups(iids: pd.Series, folder: Path, settings: Mapping, rng: np.random.Generator) -> np.ndarray:
    """Everyone's group as a number, and by its name in a table."""
    groups = choose_groups(len(iids), settings["count"], rng)
    write_tsv(pd.DataFrame({"iid": iids, "group": np.asarray(GROUPS)[groups]}), folder / "groups.tsv")
    return groups


def require_unusable(unusable: int, images: int) -> None:
    """Raise UserError when more of the images shall be unusable than there are."""
    if unusable > images:
        raise UserError(f"config: simulate.unusable_images is {unusable}, but there are only {images} images: lower it")


def choose_faults(unusable: int, samples: int, each: int, rng: np.random.Generator) -> dict[int, str]:
    """What is wrong with which row; of samples with two rows `each` the second ones come after all the first.

    A sample's rows follow each other.
    """
    first = each * rng.permutation(samples)
    rows = first
    if each == 2:
        first = first + rng.integers(0, 2, samples)
        rows = np.concatenate([first, first ^ 1])
    return {int(row): FAULTS[number % len(FAULTS)] for number, row in enumerate(rows[:unusable])}


def spoilt(picture: np.ndarray, fault: str | None) -> np.ndarray:
    """The pixels of a black or blank picture, else `picture` itself."""
    if fault == "black":
        return np.zeros_like(picture)
    return np.full_like(picture, 128) if fault == "blank" else picture


def _save(path: Path, picture: np.ndarray, fault: str | None) -> None:
    """Write a picture (size, size, 3) uint8 as PNG, or what a `fault` made of it."""
    buffer = io.BytesIO()
    Image.fromarray(spoilt(picture, fault)).save(buffer, "PNG", compress_level=1)
    content = buffer.getvalue()
    with replacing(path, crowded=True) as temporary:
        temporary.write_bytes(content[: len(content) // 2] if fault == "truncated" else content)


def remove_others(folder: Path, kept: set[str]) -> None:
    """Remove files of an earlier cohort, larger or of another kind, from where the `kept` (paths from `folder`) stand.

    Only files named as ours are removed.
    """
    for part in sorted({path.rpartition("/")[0] for path in kept}):
        for path in (folder / part).iterdir():
            if re.fullmatch(r"\d{6}\.(png|nii\.gz)", path.name) and f"{part}/{path.name}" not in kept:
                path.unlink()
