"""The table of images, and a sample of the files: are they there, do they open, do they show anything."""

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
from contigwas.preflight.context import Study
from contigwas.preflight.partial_reads import spread
from contigwas.preflight.samples import require_shared

KEY = "images.table"
EYES = ("left", "right", "unknown")
STATTED, OPENED, DECODED, THREADS = 50_000, 300, 48, 16
NIFTI = {348: 40, 540: 16}  # size of the header: where its dimensions begin, 16-bit in NIfTI-1, 64-bit in NIfTI-2


def check(study: Study) -> None:
    """Errors for a table that cannot be used and for files none of which can; warnings for those that cannot."""
    settings = study.config.get("images")
    if settings is None or not study.there(KEY, settings["table"]):
        return
    table = settings["table"]
    with study.findings.reported(KEY):
        listed = listed_images(table, None)
        volumes = settings["dimensions"] == 3
        require_dimensions(listed["source"], volumes, table)
        study.samples["images"] = pd.Index(listed["iid"]).unique()
        study.counts["images"] = len(listed)
        study.findings.fact(
            KEY, f"{len(listed):,} images of {len(study.samples['images']):,} samples ({_eyes(listed['eye'])})"
        )
        require_shared(study, "images", table)
        _files(study, [Path(table).parent / source for source in listed["source"]], volumes, settings)


def _eyes(eyes: pd.Series) -> str:
    """How many of which eye; other values only counted, since a column that was swapped may hold IIDs."""
    known = eyes.where(eyes.isin(EYES), "of other values in the column eye")
    return ", ".join(f"{many:,} {eye}" for eye, many in known.value_counts().items())


def _files(study: Study, paths: Sequence[Path], volumes: bool, settings: dict) -> None:
    looked = spread(paths, STATTED)
    missing = sum(not found for found in _all(os.path.isfile, looked))
    present = [path for path in spread(paths, OPENED) if path.is_file()]
    opened = _all(_nifti if volumes else _header, present)
    looked_into, bad = len(present), sum(map(bool, opened))
    odd = Counter(opened)
    odd.pop("", None)
    reported = f"{len(looked):,} files looked for, {len(looked) - missing:,} found; {len(present):,} opened"
    if not volumes:
        some = spread(list(zip(present, opened, strict=True)), DECODED)
        plain = [path for path, reason in some if not reason and not is_dicom(path)]
        decoded, study.counts["seconds_an_image"] = _decoded(plain, settings)
        odd += decoded
        looked_into, bad = len(some), sum(bool(reason) for _, reason in some) + decoded.total()
        reported += f", {len(plain)} of these decoded"
    study.findings.fact(KEY, f"{reported} (spread over the table)")
    _missing(study, settings["table"], missing, len(looked))
    if bad and bad == looked_into:
        study.findings.error(
            KEY,
            f"none of the {bad} files of {settings['table']} that were looked into is usable ({_reasons(odd)}): "
            "correct its paths",
        )
    elif odd:
        study.findings.warn(
            KEY,
            f"of the {len(present)} files of {settings['table']} that were opened some are not usable "
            f"({_reasons(odd)}): such images are dropped and counted",
        )


def _reasons(odd: Counter) -> str:
    return ", ".join(f"{many} {reason}" for reason, many in odd.items())


def _missing(study: Study, table: str, missing: int, looked: int) -> None:
    if missing == looked:
        study.findings.error(
            KEY, f"none of the {looked:,} files of {table} that were looked for exists: paths are relative to the table"
        )
    elif missing:
        study.findings.warn(
            KEY,
            f"{missing:,} of the {looked:,} files of {table} that were looked for do not exist: put them there, or the "
            "images are dropped and counted",
        )


def _all(ask: Callable, paths: Sequence[Path]) -> list:
    with ThreadPoolExecutor(THREADS) as pool:  # a network's files answer slowly, but many at once
        return list(pool.map(ask, paths))


def _header(path: Path) -> str:
    """Empty, or `unreadable`; a DICOM file is known by its mark."""
    if is_dicom(path):
        with path.open("rb") as file:
            return "" if file.read(132)[128:] == b"DICM" else "unreadable"
    try:
        with Image.open(path):
            return ""
    except DECODE_ERRORS:
        return "unreadable"


def _nifti(path: Path) -> str:
    """Empty, or `unreadable`, `flat`, `several volumes`, by the header of a NIfTI file."""
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


def _decoded(paths: Sequence[Path], settings: dict) -> tuple[Counter, float]:
    """Why photographs that open are not usable, and the seconds that one of them takes on one core."""
    start = time.perf_counter()
    reasons = Counter(
        read_photograph(path, settings["size"], settings["crop"], settings["qc"]["min_sd"]).reason for path in paths
    )
    seconds = (time.perf_counter() - start) / max(len(paths), 1)
    reasons.pop("", None)
    return reasons, seconds
