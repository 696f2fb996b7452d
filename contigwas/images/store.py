"""All photographs or volumes of a study: one uint8 .npy, one table row an image, and a private list of the dropped."""

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
AHEAD = 128  # images decoded ahead of the writer at most,
AHEAD_BYTES = 2**28  # and the memory that they may take
COLUMNS = ["row", "iid", "eye", "visit", "source", "brightness", "contrast", "sharpness", "kept", "reason"]
EXTERNAL = ["iid", "eye", "visit", "source"]  # those of COLUMNS that the images table gives
VOLUMES = (".nii", ".nii.gz")


def write_images(
    table: PathLike,
    cohort: PathLike | None,
    settings: Mapping[str, object],
    output_npy: PathLike,
    output_table: PathLike,
    output_private: PathLike,
) -> None:
    """Decode the images of `table` (iid eye visit path …; paths relative to the table) for samples of `cohort`.

    `settings` is the config block `images`. `output_npy` holds uint8 (images, size, size, 3), of volumes (images,
    size, size, size, 1), in the table's order, every image that could be decoded; `output_table` one row for every
    listed image: row (in the .npy, -1 where undecodable) iid eye visit source brightness contrast sharpness kept
    reason, then the further columns of `table`. `output_private` names the dropped. Raises UserError when the table
    names nobody of the cohort, names a file twice, has a column that is called like one of ours, or lists volumes
    among photographs, and when no image is usable.
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
    """The rows of the images table that are of the cohort: iid eye visit source, then its other columns, in its order.

    Raises UserError for other columns with names that the table of the decoded images needs itself.
    """
    listed = read_table(table, ["iid", "path"], "images.table")
    taken = [name for name in COLUMNS if name in listed and name not in ("iid", "eye", "visit")]
    if taken:
        raise UserError(
            f"{table} has a column {', '.join(taken)}, which the table of the decoded images fills itself: rename it"
        )
    listed = listed.rename(columns={"path": "source"})
    for name, default in (("eye", "unknown"), ("visit", 0)):
        if name not in listed:
            listed[name] = default
    listed["eye"], listed["source"] = listed["eye"].astype(str), listed["source"].astype(str)
    twice = int(listed["source"].duplicated().sum())
    if twice:
        raise UserError(f"{table} names {twice} image files more than once: give each image one row and one sample")
    listed = listed[[*EXTERNAL, *listed.columns.difference(EXTERNAL, sort=False)]]
    if cohort is None:
        return listed
    samples = read_cohort(cohort)
    kept = included(samples)["iid"]
    require_overlap(listed["iid"].unique(), kept, f"images.table ({table})", f"the cohort ({cohort})")
    inside = listed["iid"].isin(kept)
    log.info("%d of %d images are of samples outside the cohort and left out", int((~inside).sum()), len(listed))
    return listed[inside].reset_index(drop=True)


def require_dimensions(sources: pd.Series, volumes: bool, table: PathLike) -> None:
    """Raise UserError where files are of another kind than the one that is wanted, by their names."""
    nifti = int(sources.str.lower().str.endswith(VOLUMES).sum())
    others = len(sources) - nifti
    if nifti and others:
        raise UserError(
            f"{table} lists {nifti} volumes (.nii, .nii.gz) and {others} photographs: keep one kind, volumes with "
            "images.dimensions 3 or photographs with 2"
        )
    if volumes and others:
        raise UserError(
            f"{table} lists {others} files that are no volumes (.nii, .nii.gz), but images.dimensions is 3: write 2 "
            "for photographs, or convert them to NIfTI"
        )
    if nifti and not volumes:
        raise UserError(f"{table} lists {nifti} volumes (.nii, .nii.gz), but images.dimensions is 2: write 3 for them")


def _reader(settings: Mapping[str, object], volumes: bool) -> tuple[Callable[[Path], Decoded], AbstractContextManager]:
    """What reads one file, and what must hold while threads do so."""
    size, min_sd = int(settings["size"]), settings["qc"]["min_sd"]
    if not volumes:
        return partial(read_photograph, size=size, crop=settings["crop"], min_sd=min_sd), nullcontext()
    from contigwas.images import volume  # MONAI takes seconds to import, which a study of JPEGs need not wait for

    return partial(volume.read_volume, size=size, min_sd=min_sd), volume.single_threaded()


def _read_all(read: Callable[[Path], Decoded], paths: Sequence[Path], size: int) -> Iterator[Decoded]:
    """Images of `size` bytes in the order of `paths`, decoded by threads: readers work outside the interpreter lock."""
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
    """The .npy header for `count` images of `shape`, at the file's start; numpy pads it so that the count may grow."""
    file.seek(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)
    if count:
        file.seek(0, os.SEEK_END)


def _drop_extremes(images: pd.DataFrame, darkest: float, brightest: float) -> pd.DataFrame:
    """Give the darkest and brightest shares of the usable images (rounded down) a reason; ties by table order."""
    usable = images.loc[images["reason"] == "", "brightness"].sort_values(kind="stable")
    for reason, share, order in (("darkest", darkest, usable.index), ("brightest", brightest, usable.index[::-1])):
        images.loc[order[: int(share * len(usable))], "reason"] = reason
    return images


def _report(images: pd.DataFrame, table: PathLike, codecs: Sequence[str]) -> None:
    for codec, count in pd.Series(codecs, dtype=str).value_counts().items():
        log.warning(
            "%d DICOM files are compressed as %s, for which pydicom has no decoder here: pylibjpeg may be one",
            count,
            codec,
        )
    reasons = images.loc[images["reason"] != "", "reason"].value_counts()
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    if not images["kept"].any():
        raise UserError(f"none of the {len(images)} images that {table} lists is usable ({counts}): correct its paths")
    samples = images.loc[images["kept"], "iid"].nunique()
    log.info("%d of %d images of %d samples kept", int(images["kept"].sum()), len(images), samples)
    if counts:
        log.warning("%d images dropped: %s", int(reasons.sum()), counts)
