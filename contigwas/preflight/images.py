"""Check the image table, and for a part of the files that they exist, can be opened and are not blank."""

import gzip
import os
import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image

from contigwas.images.photograph import DECODE_ERRORS, is_dicom, read_photograph
from contigwas.images.store import listed_images, require_dimensions
from contigwas.preflight.context import PreflightContext
from contigwas.preflight.partial_reads import spread
from contigwas.preflight.samples import require_shared

KEY = "images.table"
EYES = ("left", "right", "unknown")
MAX_LOOKUPS, MAX_OPENED, MAX_DECODED = 50_000, 300, 48  # number of files
THREADS = 16
NIFTI = {348: 40, 540: 16}  # header size: offset of its dimensions, which are 16-bit in NIfTI-1 and 64-bit in NIfTI-2


def check(context: PreflightContext) -> None:
    """Add an error if the table is unusable or none of the checked files is usable, and warnings for unusable files."""
    settings = context.config.get("images")
    if settings is None or not context.has_file(KEY, settings["table"]):
        return
    table = settings["table"]
    with context.findings.report_errors(KEY):
        listed = listed_images(table, None)
        volumes = settings["dimensions"] == 3
        require_dimensions(listed["source"], volumes, table)
        context.samples["images"] = pd.Index(listed["iid"]).unique()
        context.counts["images"] = len(listed)
        context.findings.fact(
            KEY,
            f"{len(listed):,} images of {len(context.samples['images']):,} samples ({_describe_eyes(listed['eye'])})",
        )
        require_shared(context, "images", table)
        _check_files(context, [Path(table).parent / source for source in listed["source"]], volumes, settings)


def _describe_eyes(eyes: pd.Series) -> str:
    """The number of images by eye. Other values are only counted, because a swapped column may contain IIDs."""
    named = eyes.where(eyes.isin(EYES), "with other values in the column eye")
    return ", ".join(f"{many:,} {eye}" for eye, many in named.value_counts().items())


def _check_files(context: PreflightContext, paths: Sequence[Path], volumes: bool, settings: dict) -> None:
    sought = spread(paths, MAX_LOOKUPS)
    missing = sum(not found for found in _map_files(os.path.isfile, sought))
    present = [path for path in spread(paths, MAX_OPENED) if path.is_file()]
    opened = _map_files(_check_nifti if volumes else _check_photograph, present)
    checked, unusable = len(present), sum(map(bool, opened))
    reasons = Counter(opened)
    reasons.pop("", None)
    text = f"{len(sought):,} files looked up, {len(sought) - missing:,} found; {len(present):,} opened"
    if not volumes:
        some = spread(list(zip(present, opened, strict=True)), MAX_DECODED)
        photographs = [path for path, reason in some if not reason and not is_dicom(path)]
        decoded, context.counts["seconds_per_image"] = _decode(photographs, settings)
        reasons += decoded
        checked, unusable = len(some), sum(bool(reason) for _, reason in some) + decoded.total()
        text += f", {len(photographs)} of them decoded"
    context.findings.fact(KEY, f"{text} (spread over the table)")
    _check_missing(context, settings["table"], missing, len(sought))
    if unusable and unusable == checked:
        context.findings.error(
            KEY,
            f"{settings['table']}: none of the {unusable} checked files is usable ({_join(reasons)}). Correct the "
            "paths",
        )
    elif reasons:
        context.findings.warn(
            KEY,
            f"{settings['table']}: some of the {len(present)} opened files are not usable ({_join(reasons)}). Such "
            "images are dropped and counted",
        )


def _join(reasons: Counter) -> str:
    return ", ".join(f"{many} {reason}" for reason, many in reasons.items())


def _check_missing(context: PreflightContext, table: str, missing: int, sought: int) -> None:
    if missing == sought:
        context.findings.error(
            KEY, f"{table}: none of the {sought:,} files that were looked up exists. Paths are relative to the table"
        )
    elif missing:
        context.findings.warn(
            KEY,
            f"{table}: {missing:,} of the {sought:,} files that were looked up do not exist. Add them, or these images "
            "are dropped and counted",
        )


def _map_files(check_file: Callable, paths: Sequence[Path]) -> list:
    with ThreadPoolExecutor(THREADS) as pool:  # network file systems have a high latency
        return list(pool.map(check_file, paths))


def _check_photograph(path: Path) -> str:
    """An empty text, or `unreadable`. A DICOM file is recognised by its magic bytes."""
    if is_dicom(path):
        with path.open("rb") as file:
            return "" if file.read(132)[128:] == b"DICM" else "unreadable"
    try:
        with Image.open(path):
            return ""
    except DECODE_ERRORS:
        return "unreadable"


def _check_nifti(path: Path) -> str:
    """An empty text, or `unreadable`, `flat` or `several volumes`, from the header of a NIfTI file."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            start = file.read(540)
        order = next(one for one in "<>" if struct.unpack_from(f"{one}i", start)[0] in NIFTI)
        size = struct.unpack_from(f"{order}i", start)[0]
        count, *sides = struct.unpack_from(f"{order}8{'h' if size == 348 else 'q'}", start, NIFTI[size])
    except (OSError, EOFError, zlib.error, struct.error, StopIteration):
        return "unreadable"
    if not 1 <= count <= 7 or min(sides[:count]) < 1:
        return "unreadable"
    if count > 3 and max(sides[3:count]) > 1:
        return "several volumes"
    return "flat" if count < 3 or min(sides[:3]) < 2 else ""


def _decode(paths: Sequence[Path], settings: dict) -> tuple[Counter, float]:
    """The reasons why photographs are not usable, with their counts, and the seconds per photograph on one core."""
    start = time.perf_counter()
    reasons = Counter(
        read_photograph(path, settings["size"], settings["crop"], settings["qc"]["min_sd"]).reason for path in paths
    )
    seconds = (time.perf_counter() - start) / max(len(paths), 1)
    reasons.pop("", None)
    return reasons, seconds
