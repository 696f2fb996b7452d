"""Decode all images of a study into one uint8 .npy, a table with one row per image, and a private exclusion list."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from tqdm import tqdm

from contigwas.images.decoded import Decoded
from contigwas.images.photograph import read_photograph
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.sample_ids import require_overlap
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)
AHEAD = 128  # maximum images decoded ahead of the writer
AHEAD_BYTES = 2**28  # maximum memory of these images
COLUMNS = ["row", "iid", "eye", "visit", "source", "brightness", "contrast", "sharpness", "kept", "reason"]
EXTERNAL = ["iid", "eye", "visit", "source"]  # columns that come from the user's images table
VOLUMES = (".nii", ".nii.gz")


def write_images(
    table: PathLike,
    cohort: PathLike | None,
    settings: Mapping[str, object],
    output_npy: PathLike,
    output_table: PathLike,
    output_private: PathLike,
) -> None:
    """Decode the images of `table` (iid eye visit path …) for the samples of `cohort`.

    Paths are relative to the table. `settings` is the config block `images`. Outputs:

    - `output_npy`: uint8 (images, size, size, 3), of volumes (images, size, size, size, 1): every decoded image, in the
      order of the table.
    - `output_table`: one row per listed image: row (in the .npy, -1 if not decoded) iid eye visit source brightness
      contrast sharpness kept reason, then the further columns of `table`.
    - `output_private`: the excluded images.

    Raises UserError when the table has no sample of the cohort, names a file twice, has a column with a reserved name,
    or mixes volumes and photographs, and when no image is usable.
    """
    volumes = int(settings.get("dimensions", 2)) == 3
    listed = listed_images(table, cohort)
    require_dimensions(listed["source"], volumes, table)
    size, qc = int(settings["size"]), settings["qc"]
    shape = (size, size, size, 1) if volumes else (size, size, 3)
    paths = [Path(table).parent / source for source in listed["source"]]
    read, threads = _reader(settings, volumes)
    rows, figures, codecs, count = [], [], [], 0
    with replacing(output_npy) as temporary:
        with temporary.open("wb") as file, threads:
            _write_header(file, count, shape)
            for image in tqdm(_read_all(read, paths, int(np.prod(shape))), "images", len(paths), disable=None):
                decoded = image.pixels is not None
                rows.append(count if decoded else -1)
                if decoded:
                    file.write(image.pixels.tobytes())
                    count += 1
                figures.append((image.brightness, image.contrast, image.sharpness, image.reason))
                codecs += [image.codec] if image.codec else []
            _write_header(file, count, shape)
        listed["row"] = np.asarray(rows, dtype=np.int64)
        measured = pd.DataFrame(figures, columns=["brightness", "contrast", "sharpness", "reason"])
        listed = _drop_extremes(pd.concat([listed, measured], axis=1), qc["darkest"], qc["brightest"])
        listed["kept"] = listed["reason"] == ""
        _report(listed, table, codecs)
        private_folder(Path(output_private).parent)
        write_tsv(listed.loc[~listed["kept"], [*EXTERNAL, "reason"]], output_private)
        write_parquet(listed[[*COLUMNS, *listed.columns.difference(COLUMNS, sort=False)]], output_table)


def listed_images(table: PathLike, cohort: PathLike | None) -> pd.DataFrame:
    """Return the rows of the images table that are of the cohort: iid eye visit source, then its other columns.

    Raises UserError for duplicated files, and for other columns with names of the table of decoded images.
    """
    listed = read_table(table, ["iid", "path"], "images.table")
    reserved = [name for name in COLUMNS if name in listed and name not in ("iid", "eye", "visit")]
    if reserved:
        raise UserError(
            f"{table} has a column {', '.join(reserved)}, which is a reserved name of the table of decoded images: "
            "rename it"
        )
    listed = listed.rename(columns={"path": "source"})
    for name, default in (("eye", "unknown"), ("visit", 0)):
        if name not in listed:
            listed[name] = default
    listed["eye"], listed["source"] = listed["eye"].astype(str), listed["source"].astype(str)
    duplicates = int(listed["source"].duplicated().sum())
    if duplicates:
        raise UserError(
            f"{table} names {duplicates} image files more than once: give each image one row and one sample"
        )
    listed = listed[[*EXTERNAL, *listed.columns.difference(EXTERNAL, sort=False)]]
    if cohort is None:
        return listed
    samples = read_cohort(cohort)
    kept = included(samples)["iid"]
    require_overlap(listed["iid"].unique(), kept, f"images.table ({table})", f"the cohort ({cohort})")
    inside = listed["iid"].isin(kept)
    log.info("%d of %d images are of samples outside the cohort and are excluded", int((~inside).sum()), len(listed))
    return listed[inside].reset_index(drop=True)


def require_dimensions(sources: pd.Series, volumes: bool, table: PathLike) -> None:
    """Raise UserError when file names do not match the expected kind, volumes or photographs."""
    nifti = int(sources.str.lower().str.endswith(VOLUMES).sum())
    others = len(sources) - nifti
    if nifti and others:
        raise UserError(
            f"{table} lists {nifti} volumes (.nii, .nii.gz) and {others} photographs: keep one kind, volumes with "
            "images.dimensions 3 or photographs with 2"
        )
    if volumes and others:
        raise UserError(
            f"{table} lists {others} files that are not volumes (.nii, .nii.gz), but images.dimensions is 3: write 2 "
            "for photographs, or convert them to NIfTI"
        )
    if nifti and not volumes:
        raise UserError(f"{table} lists {nifti} volumes (.nii, .nii.gz), but images.dimensions is 2: write 3 for them")


def _reader(settings: Mapping[str, object], volumes: bool) -> tuple[Callable[[Path], Decoded], AbstractContextManager]:
    """Return the function that reads one file, and the context in which threads may call it."""
    size, min_sd = int(settings["size"]), settings["qc"]["min_sd"]
    if not volumes:
        return partial(read_photograph, size=size, crop=settings["crop"], min_sd=min_sd), nullcontext()
    from contigwas.images import volume  # importing MONAI takes seconds, and photographs do not need it

    return partial(volume.read_volume, size=size, min_sd=min_sd), volume.single_threaded()


def _read_all(read: Callable[[Path], Decoded], paths: Sequence[Path], size: int) -> Iterator[Decoded]:
    """Yield decoded images in the order of `paths`; threads decode them ahead, because readers release the GIL.

    `size` is the bytes of an image.
    """
    workers = len(os.sched_getaffinity(0))
    ahead = min(AHEAD, max(2 * workers, AHEAD_BYTES // size))
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(read, path) for path in paths[:ahead]]
        for position in range(len(paths)):
            image = waiting[position % ahead].result()
            if position + ahead < len(paths):
                waiting[position % ahead] = pool.submit(read, paths[position + ahead])
            yield image


def _write_header(file: BinaryIO, count: int, shape: tuple[int, ...]) -> None:
    """Write the .npy header for `count` images of `shape` at the start of the file; numpy pads it for larger counts."""
    file.seek(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)
    if count:
        file.seek(0, os.SEEK_END)


def _drop_extremes(images: pd.DataFrame, darkest: float, brightest: float) -> pd.DataFrame:
    """Set the reason of the darkest and brightest shares of usable images (rounded down); ties by table order."""
    usable = images.loc[images["reason"] == "", "brightness"].sort_values(kind="stable")
    for reason, share, order in (("darkest", darkest, usable.index), ("brightest", brightest, usable.index[::-1])):
        images.loc[order[: int(share * len(usable))], "reason"] = reason
    return images


def _report(images: pd.DataFrame, table: PathLike, codecs: Sequence[str]) -> None:
    """Log the numbers of kept and excluded images. Raises UserError when none is kept."""
    for codec, count in pd.Series(codecs, dtype=str).value_counts().items():
        log.warning(
            "%d DICOM files are compressed as %s, for which no decoder is installed: pylibjpeg may provide one",
            count,
            codec,
        )
    reasons = images.loc[images["reason"] != "", "reason"].value_counts()
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    if not images["kept"].any():
        raise UserError(f"{table}: none of the {len(images)} images is usable ({counts}): correct the paths")
    samples = images.loc[images["kept"], "iid"].nunique()
    log.info("kept %d of %d images, of %d samples", int(images["kept"].sum()), len(images), samples)
    if counts:
        log.warning("excluded %d images: %s", int(reasons.sum()), counts)
