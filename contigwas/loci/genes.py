"""Which genes lie in a locus, or next to it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.genotypes.reader import chromosome

HEADERS = ("#", "track", "browser", "chrom\t", "chrom ", "chr\t", "chr ")


def read_genes(path: PathLike) -> pd.DataFrame:
    """A gene list, `chrom start end name` separated by white space, as chrom (str) start end (int64 bp) name.

    PLINK's gene lists and BED files both fit (BED starts one base earlier, which matters to no locus); further
    columns, comments and a header line are ignored. Raises UserError for a line that is none of that.
    """
    with require(path, "loci.genes").open(encoding="utf-8", errors="replace") as file:
        lines = [(number, line.split()) for number, line in enumerate(file, 1) if not _skipped(line)]
    if not lines:
        raise UserError(f"{path} lists no gene: lines of chrom start end name are expected")
    for number, fields in lines:
        if len(fields) < 4 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise UserError(f"{path}, line {number}: expected chrom start end name, with positions in base pairs")
        if int(fields[2]) < int(fields[1]):
            raise UserError(f"{path}, line {number}: the gene ends before it starts: swap the two positions")
    table = pd.DataFrame([fields[:4] for _, fields in lines], columns=["chrom", "start", "end", "name"])
    table["chrom"] = table["chrom"].map({name: chromosome(name) for name in table["chrom"].unique()})
    return table.astype({"start": np.int64, "end": np.int64})


def _skipped(line: str) -> bool:
    return not line.strip() or line.lower().startswith(HEADERS)


def genes_of(genes: pd.DataFrame, chrom: str, start: int, end: int, lead: int) -> str:
    """Genes that overlap [start, end], the nearest to the lead variant first, joined by commas.

    If none does, the nearest gene with its distance in brackets, such as `CDKN2B (13021 bp)`; empty if the list has
    none on this chromosome. Positions in base pairs.
    """
    here = genes[genes["chrom"] == chrom]
    if here.empty:
        return ""
    first, last = here["start"].to_numpy(), here["end"].to_numpy()
    away = _distance(first, last, start, end)
    if (away == 0).any():
        inside = here[away == 0]
        near = _distance(inside["start"].to_numpy(), inside["end"].to_numpy(), lead, lead)
        order = np.lexsort((inside["name"], inside["start"], near))
        return ",".join(_once(inside["name"].iloc[order]))
    nearest = int(away.argmin())
    return f"{here['name'].iloc[nearest]} ({away[nearest]} bp)"


def _distance(first: np.ndarray, last: np.ndarray, start: int, end: int) -> np.ndarray:
    """Base pairs between intervals [first, last] and [start, end]; 0 where they overlap."""
    return np.maximum(np.maximum(first - end, start - last), 0)


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
