"""Recombination maps in the formats of HapMap and PLINK: the rate along a chromosome."""

from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

EXPECTED = (
    "a header with chrom, pos and rate (HapMap; chrom is optional if the file name has {chrom}), "
    "or PLINK's four columns chrom id cM pos without a header"
)


def read_map(pattern: PathLike, chrom: str) -> pd.DataFrame:
    """Return the map of a chromosome: pos (int64, base pairs, ascending) and rate (cM per Mb) from there on.

    `pattern` is a file for all chromosomes, or contains `{chrom}`; files can be gzipped. With a header, the columns are
    those whose names start with chr, start with pos or bp, and contain rate, as in HapMap's `Chromosome Position(bp)
    Rate(cM/Mb) Map(cM)` and `position COMBINED_rate(cM/Mb) Genetic_Map(cM)`. A file without a header is read as PLINK's
    .map, `chrom id cM pos`, and rates are slopes. The result is empty if the map has no row of the chromosome. Raises
    UserError for other files.
    """
    path = require(str(pattern).replace("{chrom}", str(chrom)), "plots.recombination")
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, na_filter=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError):
        raise UserError(f"{path} is not a recombination map: expected {EXPECTED}") from None
    first = [str(one).lower() for one in table.iloc[0]]
    if any("rate" in one for one in first):
        names = _named(path, first)
        table = table.iloc[1:][list(names.values())].set_axis(list(names), axis=1)
    elif table.shape[1] == 4:
        table = table.set_axis(["chrom", "id", "cm", "pos"], axis=1)
    else:
        raise UserError(f"{path} is not a recombination map: expected {EXPECTED}")
    if "chrom" in table:
        plain = {one: chromosome(one) for one in table["chrom"].unique()}
        table = table[table["chrom"].map(plain) == chromosome(chrom)]
    elif "{chrom}" not in str(pattern):
        raise UserError(f"{path} has no column of chromosomes: expected {EXPECTED}")
    return _rates(path, table)


def _named(path: Path, first: list[str]) -> dict[str, int]:
    """Return the positions of the columns rate, pos and, if present, chrom in a header."""
    columns = {"rate": next(number for number, one in enumerate(first) if "rate" in one)}
    for name, starts in (("chrom", ("chr", "#chr")), ("pos", ("pos", "bp"))):
        matching = [number for number, one in enumerate(first) if one.startswith(starts)]
        if matching:
            columns[name] = matching[0]
    if "pos" not in columns:
        raise UserError(f"{path} has no column of positions: expected {EXPECTED}")
    return columns


def _rates(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return pos and rate from the rows of one chromosome; the index of `table` counts lines from 0."""
    value = "rate" if "rate" in table else "cm"
    numbers = table[["pos", value]].apply(pd.to_numeric, errors="coerce")
    invalid = numbers.isna().any(axis=1) | (numbers["pos"] < 0) | (numbers[value] < 0)
    if invalid.any():
        line = int(table.index[invalid.to_numpy()][0]) + 1
        raise UserError(f"{path}, line {line}: position and {value} must be numbers of at least 0. Correct this line.")
    numbers = numbers.sort_values("pos", kind="stable").drop_duplicates("pos", keep="last")
    pos, values = numbers["pos"].to_numpy().astype(np.int64), numbers[value].to_numpy(dtype=float)
    if value == "cm":
        if (np.diff(values) < 0).any():
            raise UserError(f"{path}: genetic positions decrease along the chromosome. Supply a map of a single build.")
        values = np.append(np.diff(values) / np.diff(pos) * 1e6, 0.0) if len(pos) else values
    return pd.DataFrame({"pos": pos, "rate": values})


def inside(rates: pd.DataFrame, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and rates of a map from `start` to `end` (base pairs) for a step plot."""
    pos, rate = rates["pos"].to_numpy(), rates["rate"].to_numpy()
    if not len(pos) or pos[0] > end or pos[-1] < start:
        return np.empty(0), np.empty(0)
    within = (pos > start) & (pos < end)
    before = np.searchsorted(pos, start, side="right") - 1
    at_start = rate[before] if before >= 0 else 0.0
    steps = np.concatenate([[at_start], rate[within]])
    return np.concatenate([[start], pos[within], [end]]), np.append(steps, steps[-1])
