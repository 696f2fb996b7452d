"""Recombination maps: the rate along a chromosome, from the formats that maps are handed out in."""

from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

EXPECTED = (
    "a header that names chrom, pos and rate (HapMap; chrom may be absent where {chrom} is in the name), "
    "or PLINK's four columns chrom id cM pos without a header"
)


def read_map(pattern: PathLike, chrom: str) -> pd.DataFrame:
    """The recombination map of a chromosome: pos (int64, base pairs, ascending) and rate (cM per Mb) from there on.

    `pattern` is a file for all chromosomes, or holds `{chrom}`; gzipped or not. With a header the columns whose names
    begin with chr, begin with pos (or are bp) and hold rate count: HapMap's `Chromosome Position(bp) Rate(cM/Mb)
    Map(cM)`, `position COMBINED_rate(cM/Mb) Genetic_Map(cM)`. Without one PLINK's .map is meant, `chrom id cM pos`,
    and rates are slopes. Empty where the map has nothing on the chromosome. Raises UserError for anything else.
    """
    path = require(str(pattern).replace("{chrom}", str(chrom)), "plots.recombination")
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, na_filter=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError):
        raise UserError(f"{path} is no recombination map: expected {EXPECTED}") from None
    first = [str(one).lower() for one in table.iloc[0]]
    if any("rate" in one for one in first):
        names = _named(path, first)
        table = table.iloc[1:][list(names.values())].set_axis(list(names), axis=1)
    elif table.shape[1] == 4:
        table = table.set_axis(["chrom", "id", "cm", "pos"], axis=1)
    else:
        raise UserError(f"{path} is no recombination map: expected {EXPECTED}")
    if "chrom" in table:
        plain = {one: chromosome(one) for one in table["chrom"].unique()}
        table = table[table["chrom"].map(plain) == chromosome(chrom)]
    elif "{chrom}" not in str(pattern):
        raise UserError(f"{path} has no column of chromosomes: expected {EXPECTED}")
    return _rates(path, table)


def _named(path: Path, first: list[str]) -> dict[str, int]:
    """Which column of a header holds what: rate, pos, and chrom where there is one."""
    found = {"rate": next(number for number, one in enumerate(first) if "rate" in one)}
    for name, starts in (("chrom", ("chr", "#chr")), ("pos", ("pos", "bp"))):
        here = [number for number, one in enumerate(first) if one.startswith(starts)]
        if here:
            found[name] = here[0]
    if "pos" not in found:
        raise UserError(f"{path} names no column of positions: expected {EXPECTED}")
    return found


def _rates(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """pos and rate of the rows of one chromosome (their index counts lines from 0)."""
    value = "rate" if "rate" in table else "cm"
    numbers = table[["pos", value]].apply(pd.to_numeric, errors="coerce")
    wrong = numbers.isna().any(axis=1) | (numbers["pos"] < 0) | (numbers[value] < 0)
    if wrong.any():
        line = int(table.index[wrong.to_numpy()][0]) + 1
        raise UserError(f"{path}, line {line}: a position and a {value} are expected, neither below 0: fix that line")
    numbers = numbers.sort_values("pos", kind="stable").drop_duplicates("pos", keep="last")
    pos, values = numbers["pos"].to_numpy().astype(np.int64), numbers[value].to_numpy(dtype=float)
    if value == "cm":
        if (np.diff(values) < 0).any():
            raise UserError(f"{path}: genetic positions fall while base pairs rise: supply a map of one build")
        values = np.append(np.diff(values) / np.diff(pos) * 1e6, 0.0) if len(pos) else values
    return pd.DataFrame({"pos": pos, "rate": values})


def inside(rates: pd.DataFrame, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and rates of a map between `start` and `end` (base pairs), as steps that begin and end there."""
    pos, rate = rates["pos"].to_numpy(), rates["rate"].to_numpy()
    if not len(pos) or pos[0] > end or pos[-1] < start:
        return np.empty(0), np.empty(0)
    within = (pos > start) & (pos < end)
    before = np.searchsorted(pos, start, side="right") - 1
    at_start = rate[before] if before >= 0 else 0.0
    steps = np.concatenate([[at_start], rate[within]])
    return np.concatenate([[start], pos[within], [end]]), np.append(steps, steps[-1])
