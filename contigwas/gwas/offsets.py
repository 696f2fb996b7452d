"""Offsets: what the rest of the genome predicts of each feature, from REGENIE's first step."""

import gzip
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique, shape
from contigwas.tables.text import require

log = logging.getLogger(__name__)


def read_offsets(predictions: PathLike, chrom: object, features: Sequence[str], iids: Sequence[str]) -> np.ndarray:
    """Leave-one-chromosome-out predictions for `chrom`: float64 (samples, features), NaN where a sample has none.

    `predictions` is REGENIE's list (`…_pred.list`: feature, then its `.loco` file, which may be gzipped; a relative
    path is looked for in the working directory, then beside the list). A .loco file has the samples in its header
    (FID_IID) and a row a chromosome. As in REGENIE's second step the numbers are in standard deviations of the
    residualised feature, sqrt(RSS / (n - c)). Raises UserError when a file is missing or malformed, when a feature has
    no prediction, or when nobody of `iids` has one.
    """
    files = listed_predictions(predictions)
    absent = [name for name in features if name not in files]
    if absent:
        raise UserError(
            f"{predictions} has no predictions for {len(absent)} of the {len(features)} features, such as {absent[0]}: "
            "run REGENIE's step 1 on all of them, or take gwas.offsets out of the config"
        )
    found = np.column_stack([_predictions(files[name], chrom, iids) for name in features])
    without = int(np.isnan(found).any(axis=1).sum())
    if without:
        log.info("chromosome %s: %d of %d tested samples have no offset for some feature, and are not tested for it",
                 chrom, without, len(found))  # fmt: skip
    return found


def listed_predictions(path: PathLike) -> dict[str, Path]:
    """The .loco file of each feature."""
    files = {}
    with require(path, "gwas.offsets").open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            if not fields:
                continue
            if len(fields) != 2:
                raise UserError(f"{path}, line {number}: expected a feature and the path of its .loco file")
            named = Path(fields[1])
            beside = Path(path).parent / named
            files[fields[0]] = beside if not named.is_file() and beside.is_file() else named
    return files


def _predictions(path: Path, chrom: object, iids: Sequence[str]) -> np.ndarray:
    """The row of `chrom` of a .loco file for `iids`: float64 (samples,)."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(
        require(path, "a .loco file that gwas.offsets lists"), "rt", encoding="utf-8", errors="replace"
    ) as file:
        header = _header(path, file)
        row = None
        for number, line in enumerate(file, 2):
            name, _, rest = line.partition(" ")
            if not line.strip():
                continue
            if chromosome(name) == chromosome(chrom):
                row = rest.split()
                if len(row) != len(header) - 1:
                    raise UserError(
                        f"{path}, line {number} has {len(row)} predictions for the {len(header) - 1} samples of its "
                        "header: write it again with REGENIE"
                    )
    if row is None:
        raise UserError(f"{path} has no row for chromosome {chrom}: run REGENIE's step 1 on the whole genome")
    try:
        values = np.array([np.nan if one in ("NA", "nan") else float(one) for one in row])
    except ValueError:
        raise UserError(f"{path}: a prediction for chromosome {chrom} is not a number: write it again") from None
    places = _places(header[1:], iids, path)
    return np.where(places >= 0, values[places], np.nan)


def _header(path: Path, file: TextIO) -> list[str]:
    header = file.readline().split()
    if len(header) < 2 or header[0] != "FID_IID":
        raise UserError(f"{path} is not a .loco file of REGENIE: its first line must be FID_IID and the samples")
    return header


def samples_of(path: Path, iids: Sequence[str]) -> int:
    """How many of `iids` the header of a .loco file names; UserError where it names none."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(
        require(path, "a .loco file that gwas.offsets lists"), "rt", encoding="utf-8", errors="replace"
    ) as file:
        names = _header(path, file)[1:]
    return int((_places(names, iids, path) >= 0).sum())


def _places(names: Sequence[str], iids: Sequence[str], path: Path) -> np.ndarray:
    """Where each of `iids` stands among `names`, FID_IID (both may hold underscores); -1 where it does not."""
    wanted = {iid: number for number, iid in enumerate(iids)}
    places = np.full(len(iids), -1)
    matched = []
    for place, name in enumerate(names):
        parts = name.split("_")
        # where FID and IID are the same, the half; else the longest end that is an IID
        ends = ["_".join(parts[cut:]) for cut in range(1, len(parts))]
        same = [end for cut, end in enumerate(ends, 1) if "_".join(parts[:cut]) == end]
        sample = next((end for end in [*same, *ends] if end in wanted), None)
        if sample is not None:
            places[wanted[sample]] = place
            matched.append(sample)
    require_unique(matched, path)
    if not matched:
        raise UserError(
            f"{path} has predictions for none of the {len(iids)} tested samples: its header has {len(names)} of the "
            f"shape {shape(names)}, the tested samples are of the shape {shape(iids)} and stand there as FID_IID"
        )
    return places
