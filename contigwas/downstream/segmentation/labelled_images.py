"""Read, validate and decode the labelled images of a segmentation task and their masks."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from contigwas.downstream.segmentation.masks import (
    COLOURED,
    ELSEWHERE,
    MAX_SHOWN,
    OTHER_SIZE,
    UNREADABLE,
    Labels,
    Pair,
    reader,
)
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet, write_tsv
from contigwas.runtime.disk import report_disk_errors
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import enough_memory
from contigwas.samples.cohort import included, read_cohort
from contigwas.samples.withdrawn import read_withdrawn
from contigwas.tables.sample_ids import require_overlap, shape
from contigwas.tables.text import MISSING_VALUES, read_table

log = logging.getLogger(__name__)
QUEUE = 32  # images decoded in advance
SAMPLE, IMAGE = ("iid", "sample"), ("image", "path")  # accepted names of the columns
PROBLEMS = {
    UNREADABLE: "cannot be read. Replace these files.",
    OTHER_SIZE: "have another size than their image. Supply each mask at the size of its image file.",
    ELSEWHERE: "have another affine than their volume. Write each mask in the space of its volume.",
    COLOURED: "are colour images. Write one number per pixel, 0 for background.",
}


@dataclass(frozen=True)
class Labelled:
    """Labelled images in memory.

    samples: one row per image (iid family source row); images: uint8 (images, sizes …, channels); masks: uint8 (images,
    sizes …), 0 is background.
    """

    samples: pd.DataFrame
    images: np.ndarray
    masks: np.ndarray


def read_labelled(samples: PathLike, images: PathLike, masks: PathLike) -> Labelled:
    """Read the outputs of `write_labelled`."""
    return Labelled(pd.read_parquet(samples), np.load(images), np.load(masks))


def write_labelled(
    task: str,
    settings: Mapping[str, object],
    cohort: PathLike | None,
    output_samples: PathLike,
    output_images: PathLike,
    output_masks: PathLike,
    output_left_out: PathLike,
    withdrawn: PathLike | None = None,
) -> None:
    """Decode the images and masks of the table of a task, for the samples of `cohort` or, if it is None, for all.

    `settings` is the block of the task with `dimensions` and `min_sd`. `output_left_out` lists unusable images; rows of
    samples in the list `withdrawn` are only counted.

    Raises UserError if no sample of the cohort is in the table or all participants withdrew; if a mask cannot be read,
    has another size than its image, or has values that are not labels; if no mask has a label, a class is in no mask,
    or all pixels are of one class.
    """
    table, labels = settings["table"], Labels.of(settings, task)
    listed = listed_masks(table, labels, cohort)
    if withdrawn is not None:
        listed = _remove_withdrawn(listed, read_withdrawn(withdrawn), table)
    with_mask = listed[~listed["reason"].astype(bool)]
    left_out = [listed[listed["reason"].astype(bool)]]
    if with_mask.empty:
        raise UserError(f"{table}: none of the {len(listed)} images has a mask file. Correct the paths of the masks.")
    with enough_memory(
        f"too little memory for the {len(with_mask)} images of {table}: request more memory, or lower size"
    ):
        pairs = list(_decode_pairs(with_mask, settings, labels))
        reasons = np.array([pair.image.reason for pair in pairs], dtype=object)
        usable = [pair for pair, reason in zip(pairs, reasons, strict=True) if not reason]
        check_masks(usable, with_mask[reasons == ""], table, labels)
        _check_classes(usable, table, labels)
        kept = with_mask[reasons == ""].reset_index(drop=True)
        left_out.append(with_mask[reasons != ""].assign(reason=reasons[reasons != ""]))
        images = np.stack([pair.image.pixels for pair in usable])
        masks = np.stack([pair.mask for pair in usable])
    unusable = pd.concat(left_out, ignore_index=True)
    for reason, count in unusable["reason"].value_counts().items():
        log.warning("%d of %d labelled images are left out: %s", count, len(listed), reason)
    log.info(
        "%d labelled images of %d samples, classes %s", len(kept), kept["iid"].nunique(), ", ".join(labels.classes)
    )
    _log_lost_classes(usable, labels, int(settings["size"]))
    for path in (output_samples, output_images, output_masks, output_left_out):
        private_folder(Path(path).parent)
    for path, array in ((output_images, images), (output_masks, masks)):
        with report_disk_errors(path), replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    kept["row"] = np.arange(len(kept))
    write_tsv(unusable[["iid", "source", "reason"]], output_left_out)
    write_parquet(kept[["iid", "family", "source", "row"]], output_samples)


def listed_masks(table: PathLike, labels: Labels, cohort: PathLike | None) -> pd.DataFrame:
    """Return the rows of the table: iid family source masks (a tuple of paths) reason (`no mask file`, or empty).

    Paths include the folder of the table. Raises UserError if a column is missing, an image is duplicated, or no sample
    is in the cohort.
    """
    read = read_table(table, what="the table of masks")
    names = {name.lower(): name for name in read.columns}
    sample = next((names[one] for one in SAMPLE if one in names), None)
    image = next((names[one] for one in IMAGE if one in names), None)
    missing = [
        name
        for name, present in (("iid", sample), ("image", image), *((one, one in read) for one in labels.columns))
        if not present
    ]
    if missing:
        raise UserError(
            f"{table} has no column {', '.join(missing)}: add it, or name the column of masks in the config"
        )
    folder = Path(table).parent
    listed = pd.DataFrame({"iid": read[sample].astype(str), "source": read[image].astype(str)})
    if listed["iid"].isin(MISSING_VALUES).any():
        raise UserError(f"{table}: rows have no sample ID. Fill the column {sample}.")
    duplicated = int(listed["source"].duplicated().sum())
    if duplicated:
        raise UserError(f"{table}: {duplicated} rows name an image file again. Keep one row per image.")
    columns = [read[name].where(read[name].notna(), "").astype(str) for name in labels.columns]
    listed["masks"] = [
        tuple(folder / one if one not in MISSING_VALUES else None for one in row) for row in zip(*columns, strict=True)
    ]
    listed["source"] = [str(folder / one) for one in listed["source"]]
    listed["family"] = listed["iid"]
    if cohort is not None:
        listed = _restrict_to_cohort(listed, cohort, table)
    without_mask = [any(one is None or not one.is_file() for one in masks) for masks in listed["masks"]]
    listed["reason"] = np.where(without_mask, "no mask file", "")
    return listed.reset_index(drop=True)


def _remove_withdrawn(listed: pd.DataFrame, iids: set[str], table: PathLike) -> pd.DataFrame:
    withdrawn = listed["iid"].isin(iids)
    if not withdrawn.any():
        return listed
    samples = listed["iid"][withdrawn].nunique()
    log.info("%d of %d labelled images are of %d participants who withdrew", withdrawn.sum(), len(listed), samples)
    if withdrawn.all():
        raise UserError(f"{table}: all participants are in samples.withdrawn. Supply other masks.")
    return listed[~withdrawn].reset_index(drop=True)


def _restrict_to_cohort(listed: pd.DataFrame, cohort: PathLike, table: PathLike) -> pd.DataFrame:
    samples = read_cohort(cohort)
    samples = included(samples)
    require_overlap(listed["iid"].unique(), samples["iid"], f"the table of masks ({table})", f"the cohort ({cohort})")
    inside = listed["iid"].isin(samples["iid"])
    if not inside.all():
        log.info(
            "%d of %d labelled images are left out: their samples are not in the cohort", (~inside).sum(), len(listed)
        )
    listed = listed[inside]
    return listed.assign(family=listed["iid"].map(samples.set_index("iid")["family"]))


def _decode_pairs(listed: pd.DataFrame, settings: Mapping[str, object], labels: Labels) -> Iterator[Pair]:
    """Yield images with their masks in the order of the table, decoded by threads."""
    read = reader(settings, labels)
    work = list(zip(map(Path, listed["source"]), listed["masks"], strict=True))
    threads: AbstractContextManager = nullcontext()
    if settings["dimensions"] == 3:
        from contigwas.images.volume import single_threaded  # MONAI takes seconds to import

        threads = single_threaded()
    with threads, ThreadPoolExecutor() as pool:
        for start in tqdm(range(0, len(work), QUEUE), "masks", disable=None):
            yield from pool.map(lambda one: read(*one), work[start : start + QUEUE])


def check_masks(pairs: Sequence[Pair], listed: pd.DataFrame, table: PathLike, labels: Labels) -> None:
    """Raise UserError for the first problem of single masks; `listed` has one row for each of `pairs`."""
    if not pairs:
        raise UserError(
            f"{table}: none of the {len(listed)} images with masks is usable. Correct the paths of the images."
        )
    stems = [Path(one).stem for one in listed["source"]]
    for problem, sentence in PROBLEMS.items():
        bad = [stem for stem, pair in zip(stems, pairs, strict=True) if pair.problem == problem]
        if bad:
            raise UserError(f"{table}: the masks of {len(bad)} images (names of {shape(bad)}) {sentence}")
    bad = [stem for stem, pair in zip(stems, pairs, strict=True) if pair.invalid]
    if bad:
        values = sorted({value for pair in pairs for value in pair.invalid})
        shown = ", ".join(f"{value:g}" for value in values[:MAX_SHOWN]) + (", …" if len(values) > MAX_SHOWN else "")
        legal = [f"{value}" for one in labels.values or () for value in one]
        remedy = (
            f"Labels are 0 and {', '.join(legal)}: add the values to labels in the config, or correct the masks."
            if legal
            else "A mask of one label has few values: name them in labels in the config, and save masks as PNG."
        )
        raise UserError(
            f"{table}: the masks of {len(bad)} images (names of {shape(bad)}) have values that are not labels "
            f"({shown}). {remedy}"
        )


def _check_classes(pairs: Sequence[Pair], table: PathLike, labels: Labels) -> None:
    """Raise UserError if all masks together have no label, a single class, or lack pixels of a configured class."""
    pixels = sum(pair.class_pixels for pair in pairs)
    if not pixels[1:].any():
        raise UserError(f"{table}: none of the {len(pairs)} masks has a labelled pixel. Supply other masks.")
    if (pixels > 0).sum() == 1:
        only = labels.classes[int(pixels.argmax()) - 1]
        raise UserError(f"{table}: every pixel of the {len(pairs)} masks is {only}. Write 0 for background.")
    absent = [name for name, count in zip(labels.classes, pixels[1:], strict=True) if not count]
    if absent:
        raise UserError(
            f"{table}: none of the {len(pairs)} masks has a pixel of class {absent[0]}. Remove the class, or correct "
            "its value."
        )


def _log_lost_classes(pairs: Sequence[Pair], labels: Labels, size: int) -> None:
    """Log how many masks have each class, and how many of them have no pixel of it at the size of the task."""
    for number, name in enumerate(labels.classes, start=1):
        has = sum(bool(pair.class_pixels[number]) for pair in pairs)
        lost = sum(bool(pair.class_pixels[number]) and not (pair.mask == number).any() for pair in pairs)
        log.info(
            "%d of %d images have %s; %d of them have no pixel of it at size %d", has, len(pairs), name, lost, size
        )
