"""All photographs of a study: one uint8 .npy, one table row an image, and a private list of the dropped."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from tqdm import tqdm

from contigwas.errors import UserError
from contigwas.files import PathLike, private_folder, read_table, replacing, write_parquet, write_tsv
from contigwas.images.photograph import Photograph, read_photograph
from contigwas.people import require_overlap
from contigwas.samples.cohort import read_cohort

log = logging.getLogger(__name__)
AHEAD = 128  # photographs decoded ahead of the writer: bounds the memory
COLUMNS = ["row", "iid", "eye", "visit", "source", "brightness", "contrast", "sharpness", "kept", "reason"]


def write_images(
    table: PathLike,
    cohort: PathLike | None,
    settings: Mapping[str, object],
    output_npy: PathLike,
    output_table: PathLike,
    output_private: PathLike,
) -> None:
    """Decode the photographs of `table` (iid eye visit path; paths relative to the table) for people of `cohort`.

    `settings` is the config block `images`. `output_npy` holds (images, size, size, 3) uint8 in the table's order,
    every image that could be decoded; `output_table` one row for every listed image: row (in the .npy, -1 where
    undecodable) iid eye visit source brightness contrast sharpness kept reason. `output_private` names the dropped.
    Raises UserError when the table names nobody of the cohort, names a file twice, or no image is usable.
    """
    listed = _listed(table, cohort)
    size, qc = int(settings["size"]), settings["qc"]
    paths = [Path(table).parent / source for source in listed["source"]]
    read = partial(read_photograph, size=size, crop=settings["crop"], min_sd=qc["min_sd"])
    rows, figures, count = [], [], 0
    with replacing(output_npy) as temporary:
        with temporary.open("wb") as file:
            _write_header(file, count, size)
            for photograph in tqdm(_read_all(read, paths), "images", len(paths), disable=None):
                decoded = photograph.pixels is not None
                rows.append(count if decoded else -1)
                if decoded:
                    file.write(photograph.pixels.tobytes())
                    count += 1
                figures.append((photograph.brightness, photograph.contrast, photograph.sharpness, photograph.reason))
            _write_header(file, count, size)
        listed["row"] = np.asarray(rows, dtype=np.int64)
        measured = pd.DataFrame(figures, columns=["brightness", "contrast", "sharpness", "reason"])
        listed = _drop_extremes(pd.concat([listed, measured], axis=1), qc["darkest"], qc["brightest"])
        listed["kept"] = listed["reason"] == ""
        _report(listed, table)
        private_folder(Path(output_private).parent)
        write_tsv(listed.loc[~listed["kept"], ["iid", "eye", "visit", "source", "reason"]], output_private)
        write_parquet(listed[COLUMNS], output_table)


def _listed(table: PathLike, cohort: PathLike | None) -> pd.DataFrame:
    """The rows of the images table that are of the cohort: iid eye visit source, in the table's order."""
    listed = read_table(table, ["iid", "path"], "images.table").rename(columns={"path": "source"})
    for name, default in (("eye", "unknown"), ("visit", 0)):
        if name not in listed:
            listed[name] = default
    listed["eye"], listed["source"] = listed["eye"].astype(str), listed["source"].astype(str)
    twice = int(listed["source"].duplicated().sum())
    if twice:
        raise UserError(f"{table} names {twice} image files more than once: give each image one row and one person")
    if cohort is None:
        return listed[["iid", "eye", "visit", "source"]]
    people = read_cohort(cohort)
    kept = people.loc[people["excluded"] == "", "iid"]
    require_overlap(listed["iid"].unique(), kept, f"images.table ({table})", f"the cohort ({cohort})")
    inside = listed["iid"].isin(kept)
    log.info("%d of %d images are of people outside the cohort and left out", int((~inside).sum()), len(listed))
    return listed.loc[inside, ["iid", "eye", "visit", "source"]].reset_index(drop=True)


def _read_all(read: Callable[[Path], Photograph], paths: Sequence[Path]) -> Iterator[Photograph]:
    """Photographs in the order of `paths`, decoded by threads (Pillow works outside the interpreter lock)."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        waiting = [pool.submit(read, path) for path in paths[:AHEAD]]
        for position in range(len(paths)):
            photograph = waiting[position % AHEAD].result()
            if position + AHEAD < len(paths):
                waiting[position % AHEAD] = pool.submit(read, paths[position + AHEAD])
            yield photograph


def _write_header(file: BinaryIO, count: int, size: int) -> None:
    """The .npy header for `count` images, at the start of the file; numpy pads it so that the count may grow."""
    file.seek(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    np.lib.format.write_array_header_1_0(file, header)
    if count:
        file.seek(0, os.SEEK_END)


def _drop_extremes(images: pd.DataFrame, darkest: float, brightest: float) -> pd.DataFrame:
    """Give the darkest and brightest shares of the usable images (rounded down) a reason; ties by table order."""
    usable = images.loc[images["reason"] == "", "brightness"].sort_values(kind="stable")
    for reason, share, order in (("darkest", darkest, usable.index), ("brightest", brightest, usable.index[::-1])):
        images.loc[order[: int(share * len(usable))], "reason"] = reason
    return images


def _report(images: pd.DataFrame, table: PathLike) -> None:
    reasons = images.loc[images["reason"] != "", "reason"].value_counts()
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    if not images["kept"].any():
        raise UserError(f"none of the {len(images)} images that {table} lists is usable ({counts}): correct its paths")
    people = images.loc[images["kept"], "iid"].nunique()
    log.info("%d of %d images of %d people kept", int(images["kept"].sum()), len(images), people)
    if counts:
        log.warning("%d images dropped: %s", int(reasons.sum()), counts)
