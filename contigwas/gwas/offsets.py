"""Offsets: leave-one-chromosome-out predictions of the features from REGENIE step 1."""

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
    """Return the leave-one-chromosome-out predictions for `chrom`: float64 (samples, features), NaN where missing.

    `predictions` is REGENIE's list (`…_pred.list`), which names a feature and its `.loco` file, gzipped or not, in each
    line. A relative path is looked up in the working directory, then in the folder of the list. A .loco file has the
    samples in its header (FID_IID) and one row per chromosome. As in REGENIE step 2, the unit is the standard deviation
    of the residualised feature, sqrt(RSS / (n - c)). Raises UserError if a file is missing or malformed, if a feature
    has no predictions, or if none of `iids` has predictions.
    """
    files = listed_predictions(predictions)
    missing = [name for name in features if name not in files]
    if missing:
        raise UserError(
            f"{predictions}: {len(missing)} of the {len(features)} features, such as {missing[0]}, have no prediction. "
            "Run REGENIE step 1 on all features, or remove gwas.offsets from the config"
        )
    predicted = np.column_stack([_predictions(files[name], chrom, iids) for name in features])
    incomplete = int(np.isnan(predicted).any(axis=1).sum())
    if incomplete:
        log.info("chromosome %s: %d of %d tested samples have no offset for some feature and are not tested on it",
                 chrom, incomplete, len(predicted))  # fmt: skip
    return predicted


def listed_predictions(path: PathLike) -> dict[str, Path]:
    """Return the .loco file of each feature; raise UserError for a malformed line."""
    files = {}
    with require(path, "gwas.offsets").open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            if not fields:
                continue
            if len(fields) != 2:
                raise UserError(
                    f"{path}, line {number}: {len(fields)} fields. Write a feature and the path of its .loco file"
                )
            named = Path(fields[1])
            in_list_folder = Path(path).parent / named
            files[fields[0]] = in_list_folder if not named.is_file() and in_list_folder.is_file() else named
    return files


def _predictions(path: Path, chrom: object, iids: Sequence[str]) -> np.ndarray:
    """Return the predictions of a .loco file for `chrom` and `iids`: float64 (samples,), NaN where missing."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(
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
                        f"{path}, line {number}: {len(row)} predictions, but the header has {len(header) - 1} samples. "
                        "Write the file again with REGENIE"
                    )
    if row is None:
        raise UserError(f"{path}: no row for chromosome {chrom}. Run REGENIE step 1 on the whole genome")
    try:
        values = np.array([np.nan if one in ("NA", "nan") else float(one) for one in row])
    except ValueError:
        raise UserError(
            f"{path}: a prediction for chromosome {chrom} is not a number. Write the file again with REGENIE"
        ) from None
    places = _places(header[1:], iids, path)
    return np.where(places >= 0, values[places], np.nan)


def _header(path: Path, file: TextIO) -> list[str]:
    """Return the fields of the header; raise UserError unless it is that of a .loco file."""
    header = file.readline().split()
    if len(header) < 2 or header[0] != "FID_IID":
        raise UserError(
            f"{path}, line 1: this is not the header of a REGENIE .loco file, which is FID_IID and the samples"
        )
    return header


def count_predicted_samples(path: Path, iids: Sequence[str]) -> int:
    """Return how many of `iids` the header of a .loco file names; raise UserError if it names none."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(
        require(path, "a .loco file that gwas.offsets lists"), "rt", encoding="utf-8", errors="replace"
    ) as file:
        names = _header(path, file)[1:]
    return int((_places(names, iids, path) >= 0).sum())


def _places(names: Sequence[str], iids: Sequence[str], path: Path) -> np.ndarray:
    """Return the position of each of `iids` in `names` (FID_IID; both may hold underscores), -1 if absent: int64."""
    wanted = {iid: number for number, iid in enumerate(iids)}
    places = np.full(len(iids), -1)
    matched = []
    for place, name in enumerate(names):
        parts = name.split("_")
        # If FID and IID are equal, the IID is one half of the name. Else it is the longest suffix that is a wanted IID.
        ends = ["_".join(parts[cut:]) for cut in range(1, len(parts))]
        same = [end for cut, end in enumerate(ends, 1) if "_".join(parts[:cut]) == end]
        sample = next((end for end in [*same, *ends] if end in wanted), None)
        if sample is not None:
            places[wanted[sample]] = place
            matched.append(sample)
    require_unique(matched, path)
    if not matched:
        raise UserError(
            f"{path}: none of the {len(iids)} tested samples has predictions. The header has {len(names)} names of the "
            f"form {shape(names)}, but the IIDs have the form {shape(iids)}. Write the names as FID_IID"
        )
    return places
