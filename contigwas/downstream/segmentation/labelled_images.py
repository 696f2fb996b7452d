"""The labelled images of a task: whose they are, decoded with their masks, and every reason to refuse them."""

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
    OTHER_SIZE,
    SHOWN,
    UNREADABLE,
    Labels,
    Pair,
    reader,
)
from contigwas.runtime.atomic_files import PathLike, private_folder, replacing, write_parquet, write_tsv
from contigwas.runtime.disk import reported
from contigwas.runtime.errors import UserError
from contigwas.runtime.memory import enough_memory
from contigwas.samples.cohort import included, read_cohort
from contigwas.samples.withdrawn import read_withdrawn
from contigwas.tables.sample_ids import require_overlap, shape
from contigwas.tables.text import MISSING_VALUES, read_table

log = logging.getLogger(__name__)
AHEAD = 32  # images decoded ahead at most
SAMPLE, IMAGE = ("iid", "sample"), ("image", "path")  # names that the table's columns may have
PROBLEMS = {
    UNREADABLE: "cannot be read: replace those files",
    OTHER_SIZE: "have another size than their image: supply each mask at the size of its image file",
    ELSEWHERE: "lie elsewhere than their volume (the affine of their headers): write them in the space of their volume",
    COLOURED: "are coloured: write one number a pixel, 0 where there is no label",
}


@dataclass(frozen=True)
class Labelled:
    """The labelled images in memory. samples: one row an image (iid family source row); images: uint8 (images, sizes …,
    channels); masks: uint8 (images, sizes …), 0 is background.
    """

    samples: pd.DataFrame
    images: np.ndarray
    masks: np.ndarray


def read_labelled(samples: PathLike, images: PathLike, masks: PathLike) -> Labelled:
    """What `write_labelled` wrote."""
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
    """Decode the images and masks of a task's table, for the samples of `cohort` or, where that is None, for everyone.

    `settings` is the task's block with `dimensions` and `min_sd`. What could not be used is named in `output_left_out`;
    rows of samples in the list `withdrawn` are only counted. Raises UserError where the table names nobody of the
    cohort, or only participants who withdrew; where a mask cannot be read, is of another size than its image, or has values
    that are no label; where no mask has a label, a class stands in none, or every pixel is of one class.
    """
    table, labels = settings["table"], Labels.of(settings, task)
    listed = listed_masks(table, labels, cohort)
    if withdrawn is not None:
        listed = _without(listed, read_withdrawn(withdrawn), table)
    given = listed[~listed["reason"].astype(bool)]
    left_out = [listed[listed["reason"].astype(bool)]]
    if given.empty:
        raise UserError(f"none of the {len(listed)} images of {table} has a mask file: correct its paths")
    with enough_memory(
        f"there is too little memory for the {len(given)} images of {table}: ask for more, or lower size"
    ):
        pairs = list(_pairs(given, settings, labels))
        reasons = np.array([pair.image.reason for pair in pairs], dtype=object)
        usable = [pair for pair, reason in zip(pairs, reasons, strict=True) if not reason]
        refuse_masks(usable, given[reasons == ""], table, labels)
        _refuse_classes(usable, table, labels)
        kept = given[reasons == ""].reset_index(drop=True)
        left_out.append(given[reasons != ""].assign(reason=reasons[reasons != ""]))
        images = np.stack([pair.image.pixels for pair in usable])
        masks = np.stack([pair.mask for pair in usable])
    gone = pd.concat(left_out, ignore_index=True)
    for reason, count in gone["reason"].value_counts().items():
        log.warning("%d of %d labelled images are left out: %s", count, len(listed), reason)
    log.info(
        "%d labelled images of %d samples, classes %s", len(kept), kept["iid"].nunique(), ", ".join(labels.classes)
    )
    _tell_lost(usable, labels, int(settings["size"]))
    for path in (output_samples, output_images, output_masks, output_left_out):
        private_folder(Path(path).parent)
    for path, array in ((output_images, images), (output_masks, masks)):
        with reported(path), replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    kept["row"] = np.arange(len(kept))
    write_tsv(gone[["iid", "source", "reason"]], output_left_out)
    write_parquet(kept[["iid", "family", "source", "row"]], output_samples)


def listed_masks(table: PathLike, labels: Labels, cohort: PathLike | None) -> pd.DataFrame:
    """The rows of the table: iid family source masks (a tuple of paths) reason (`no mask file`, or empty).

    Paths are whole ones. Raises UserError for a column that the table lacks, an image named twice, or nobody in common
    with the cohort.
    """
    read = read_table(table, what="the table of masks")
    names = {name.lower(): name for name in read.columns}
    sample = next((names[one] for one in SAMPLE if one in names), None)
    image = next((names[one] for one in IMAGE if one in names), None)
    lacking = [
        name
        for name, there in (("iid", sample), ("image", image), *((one, one in read) for one in labels.columns))
        if not there
    ]
    if lacking:
        raise UserError(
            f"{table} has no column {', '.join(lacking)}: add it, or name the column of masks in the config"
        )
    folder = Path(table).parent
    listed = pd.DataFrame({"iid": read[sample].astype(str), "source": read[image].astype(str)})
    if listed["iid"].isin(MISSING_VALUES).any():
        raise UserError(f"{table} has rows without a sample: fill its column {sample}, splits are by sample")
    twice = int(listed["source"].duplicated().sum())
    if twice:
        raise UserError(f"{table} names {twice} image files more than once: give each image one row")
    columns = [read[name].where(read[name].notna(), "").astype(str) for name in labels.columns]
    listed["masks"] = [
        tuple(folder / one if one not in MISSING_VALUES else None for one in row) for row in zip(*columns, strict=True)
    ]
    listed["source"] = [str(folder / one) for one in listed["source"]]
    listed["family"] = listed["iid"]
    if cohort is not None:
        listed = _of_cohort(listed, cohort, table)
    lacks = [any(one is None or not one.is_file() for one in masks) for masks in listed["masks"]]
    listed["reason"] = np.where(lacks, "no mask file", "")
    return listed.reset_index(drop=True)


def _without(listed: pd.DataFrame, gone: set[str], table: PathLike) -> pd.DataFrame:
    named = listed["iid"].isin(gone)
    if not named.any():
        return listed
    samples = listed["iid"][named].nunique()
    log.info("%d of %d labelled images are of %d participants who withdrew", named.sum(), len(listed), samples)
    if named.all():
        raise UserError(f"everyone whom {table} names is in samples.withdrawn: nobody is left, supply other masks")
    return listed[~named].reset_index(drop=True)


def _of_cohort(listed: pd.DataFrame, cohort: PathLike, table: PathLike) -> pd.DataFrame:
    samples = read_cohort(cohort)
    samples = included(samples)
    require_overlap(listed["iid"].unique(), samples["iid"], f"the table of masks ({table})", f"the cohort ({cohort})")
    inside = listed["iid"].isin(samples["iid"])
    if not inside.all():
        log.info(
            "%d of %d labelled images are of samples outside the cohort and left out", (~inside).sum(), len(listed)
        )
    listed = listed[inside]
    return listed.assign(family=listed["iid"].map(samples.set_index("iid")["family"]))


def _pairs(listed: pd.DataFrame, settings: Mapping[str, object], labels: Labels) -> Iterator[Pair]:
    """Images with their masks in the table's order, decoded by threads."""
    read = reader(settings, labels)
    work = list(zip(map(Path, listed["source"]), listed["masks"], strict=True))
    alone: AbstractContextManager = nullcontext()
    if settings["dimensions"] == 3:
        from contigwas.images.volume import single_threaded  # MONAI takes seconds to import

        alone = single_threaded()
    with alone, ThreadPoolExecutor() as pool:
        for start in tqdm(range(0, len(work), AHEAD), "masks", disable=None):
            yield from pool.map(lambda one: read(*one), work[start : start + AHEAD])


def refuse_masks(pairs: Sequence[Pair], listed: pd.DataFrame, table: PathLike, labels: Labels) -> None:
    """Raise UserError for the first thing that is wrong with single masks; `listed` has a row for each of `pairs`."""
    if not pairs:
        raise UserError(f"none of the {len(listed)} images with masks in {table} is usable: correct its paths")
    stems = [Path(one).stem for one in listed["source"]]
    for problem, sentence in PROBLEMS.items():
        bad = [stem for stem, pair in zip(stems, pairs, strict=True) if pair.problem == problem]
        if bad:
            raise UserError(f"{table}: the masks of {len(bad)} images (names of {shape(bad)}) {sentence}")
    bad = [stem for stem, pair in zip(stems, pairs, strict=True) if pair.odd]
    if bad:
        values = sorted({value for pair in pairs for value in pair.odd})
        shown = ", ".join(f"{value:g}" for value in values[:SHOWN]) + (", …" if len(values) > SHOWN else "")
        legal = [f"{value}" for one in labels.values or () for value in one]
        remedy = (
            f"labels are 0 and {', '.join(legal)}, so add those values to labels in the config, or fix the masks"
            if legal
            else "a mask of one label has few values, so name them in labels in the config, and save masks as PNG"
        )
        raise UserError(
            f"{table}: the masks of {len(bad)} images (names of {shape(bad)}) hold values that are no label ({shown}): "
            f"{remedy}"
        )


def _refuse_classes(pairs: Sequence[Pair], table: PathLike, labels: Labels) -> None:
    """Raise UserError where all masks together leave nothing to tell apart."""
    whole = sum(pair.whole for pair in pairs)
    if not whole[1:].any():
        raise UserError(
            f"none of the {len(pairs)} masks of {table} marks anything: nothing can be learned, supply others"
        )
    if (whole > 0).sum() == 1:
        only = labels.classes[int(whole.argmax()) - 1]
        raise UserError(
            f"every pixel of the {len(pairs)} masks of {table} is {only}: a single class cannot be reported from anything, "
            "write 0 where there is none"
        )
    absent = [name for name, count in zip(labels.classes, whole[1:], strict=True) if not count]
    if absent:
        raise UserError(
            f"the class {absent[0]} stands in none of the {len(pairs)} masks of {table}: drop it, or fix its value"
        )


def _tell_lost(pairs: Sequence[Pair], labels: Labels, size: int) -> None:
    """How many masks lose a class at the size that networks see."""
    for number, name in enumerate(labels.classes, start=1):
        has = sum(bool(pair.whole[number]) for pair in pairs)
        lost = sum(bool(pair.whole[number]) and not (pair.mask == number).any() for pair in pairs)
        log.info("%d of %d images have %s; at %d pixels %d of them lose it", has, len(pairs), name, size, lost)
