"""One fundus-like picture an eye for the people of a cohort, as files and a table; some of the files are unusable."""

import io
import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from contigwas.errors import UserError
from contigwas.files import PathLike, read_table, replacing, sweep, write_tsv
from contigwas.simulate.fundus import render
from contigwas.simulate.settings import LATENTS

log = logging.getLogger(__name__)

STREAM = 100  # apart from the cohort's streams of random numbers
EYES = ("left", "right")
EYE_SD = 0.15  # how far an eye is from its person's latents
BATCH = 128  # pictures drawn at once
FAULTS = ("black", "blank", "truncated")


def simulate_images(latents: PathLike, folder: PathLike, settings: Mapping, seed: int) -> None:
    """Write `folder`/images/*.png and `folder`/images.tsv (iid, eye, visit, path) from the table of latents.

    A share `lacking` of the people has no picture; `unusable_images` files are black, blank or cut off, each of
    another person where there are enough. File names say nothing about the person. Raises UserError when more files
    shall be unusable than there are.
    """
    folder = Path(folder)
    people = read_table(latents, ("iid", *LATENTS), "simulate.folder")

    def stream(*purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, STREAM, *purpose])

    many = len(people)
    seen = np.sort(stream(0).permutation(many)[round(settings["lacking"] * many) :])
    unusable = int(settings["unusable_images"])
    if unusable > 2 * len(seen):
        raise UserError(
            f"config: simulate.unusable_images is {unusable}, but there are only {2 * len(seen)} images: lower it"
        )
    traits = np.repeat(people[list(LATENTS)].to_numpy(np.float64)[seen], 2, axis=0)
    traits += EYE_SD * stream(1).standard_normal(traits.shape)
    numbers = stream(2).permutation(len(traits))
    table = pd.DataFrame(
        {
            "iid": np.repeat(people["iid"].to_numpy()[seen], 2),
            "eye": np.tile(EYES, len(seen)),
            "visit": 0,
            "path": [f"images/{number:06d}.png" for number in numbers],
        }
    )
    faults = _faults(unusable, len(seen), stream(3))
    (folder / "images").mkdir(parents=True, exist_ok=True)
    sweep(folder / "images")
    starts = range(0, len(table), BATCH)
    with ThreadPoolExecutor(2) as pool:
        for batch, start in enumerate(tqdm(starts, desc="render", unit="batch", disable=None)):
            rows = slice(start, min(start + BATCH, len(table)))
            right = (table["eye"][rows] == "right").to_numpy()
            size, nuisance = settings["image_size"], settings["nuisance"]
            pictures = render(traits[rows], right, size, nuisance, stream(4, batch))
            jobs = [
                pool.submit(_save, folder / table["path"][row], pictures[row - start], faults.get(row))
                for row in range(rows.start, rows.stop)
            ]
            for job in jobs:
                job.result()
    _remove_others(folder / "images", set(table["path"]))
    write_tsv(table.sort_values("path", ignore_index=True), folder / "images.tsv")
    log.info(
        "%d images of %d people (%d people have none); %d are unusable: %s",
        len(table), len(seen), many - len(seen), len(faults),
        ", ".join(f"{list(faults.values()).count(one)} {one}" for one in FAULTS),
    )  # fmt: skip


def _faults(unusable: int, people: int, rng: np.random.Generator) -> dict[int, str]:
    """What is wrong with which row: one eye of as many people as needed, the second eyes only after all the first."""
    first = 2 * rng.permutation(people) + rng.integers(0, 2, people)
    rows = np.concatenate([first, first ^ 1])[:unusable]
    return {int(row): FAULTS[number % len(FAULTS)] for number, row in enumerate(rows)}


def _save(path: Path, picture: np.ndarray, fault: str | None) -> None:
    """Write a picture (size, size, 3) uint8 as PNG, or what a `fault` made of it."""
    if fault == "black":
        picture = np.zeros_like(picture)
    elif fault == "blank":
        picture = np.full_like(picture, 128)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    content = buffer.getvalue()
    with replacing(path, crowded=True) as temporary:
        temporary.write_bytes(content[: len(content) // 2] if fault == "truncated" else content)


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove pictures of an earlier, larger cohort; only files named as ours are."""
    for path in folder.glob("*.png"):
        if re.fullmatch(r"\d{6}\.png", path.name) and f"images/{path.name}" not in kept:
            path.unlink()
