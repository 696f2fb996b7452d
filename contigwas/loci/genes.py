"""Which genes lie in a locus, or next to it."""

import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.genome_build import named_build
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

HEADERS = ("#", "track", "browser", "chrom\t", "chrom ", "chr\t", "chr ")
STRANDS = ("+", "-")
ATTRIBUTES = (r'\bgene_name "([^"]+)"', r'\bgene_id "([^"]+)"')  # of a GTF line: the first that it has names the gene


def read_genes(
    path: PathLike,
    build: str | None = None,
    declared: str | None = None,
    ids: bool = False,
    key: str = "loci.genes",
) -> pd.DataFrame:
    """Genes as chrom (str) start end (int64, base pairs, both inside the gene) name strand, in file order.

    The suffix says what `path` is, gzipped or not: .gtf (its lines of type gene, by gene_name, else gene_id), .bed
    (starts count from 0, and are made to count from 1), anything else lines of `chrom start end name` as PLINK's gene
    lists; comments, a header line and further columns are ignored, but for the first that is + or -: strand is that,
    or empty. All genes count, of whatever type.

    `build` is that of the genotypes, `declared` that of the list where the user named it. Raises UserError for a line
    that is none of that, and for a list whose header names another build, or whose name does where none is declared.
    With `ids` there is a further column id: a GTF's gene_id, else the name. `key` of the config names the list.
    """
    path = require(path, key)
    suffixes = [one.lower() for one in path.suffixes if one.lower() != ".gz"]
    kind = suffixes[-1] if suffixes else ""
    header, lines = [], []
    for number, line in _lines(path):
        if _skipped(line):
            header.append(line)
        elif kind != ".gtf":
            fields = line.split()
            strand = next((one for one in fields[4:] if one in STRANDS), "")
            lines.append((number, [*fields[:4], strand, fields[3]] if len(fields) >= 4 else fields))
        elif line.split("\t", 3)[2:3] == ["gene"]:
            lines.append((number, _gtf(path, number, line)))
    _require_build(path, "".join(header), build, declared)
    if not lines:
        expected = "lines of type gene" if kind == ".gtf" else "lines of chrom start end name"
        raise UserError(f"{path} lists no gene: {expected} are expected")
    table = _table(path, lines, first=0 if kind == ".bed" else 1)
    return table if ids else table.drop(columns="id")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file, gzipped or not, numbered from 1."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            yield from enumerate(file, 1)
    except (gzip.BadGzipFile, EOFError):
        raise UserError(f"{path} is not a complete gzip file: fetch it again, or take .gz off its name") from None


def _gtf(path: Path, number: int, line: str) -> list[str]:
    """chrom, start, end, name, strand and gene_id (else the name) of a GTF line."""
    fields = line.rstrip("\n").split("\t")
    names = [found[1] for found in (re.search(one, fields[-1]) for one in ATTRIBUTES) if found]
    if len(fields) < 9 or not names:
        raise UserError(f"{path}, line {number}: expected nine columns with gene_name or gene_id in the last: fix it")
    return [fields[0], fields[3], fields[4], names[0], fields[6] if fields[6] in STRANDS else "", names[-1]]


def _table(path: Path, lines: list[tuple[int, list[str]]], first: int) -> pd.DataFrame:
    """The genes of `lines`; `first` is the number that the file gives to the first base of a chromosome."""
    for number, fields in lines:
        if len(fields) < 4 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise UserError(f"{path}, line {number}: expected chrom start end name, with positions in base pairs")
        if int(fields[2]) < int(fields[1]) + 1 - first:
            raise UserError(f"{path}, line {number}: the gene ends before it starts: swap the two positions")
    table = pd.DataFrame([fields for _, fields in lines], columns=["chrom", "start", "end", "name", "strand", "id"])
    table["chrom"] = table["chrom"].map({name: chromosome(name) for name in table["chrom"].unique()})
    table = table.astype({"start": np.int64, "end": np.int64})
    table["start"] += 1 - first
    return table


def _require_build(path: Path, header: str, build: str | None, declared: str | None) -> None:
    """Raise UserError where the header, or the name of an undeclared list, says another build than `build`."""
    said = named_build(header)
    where = "header" if said else "name"
    said = said or (None if declared else named_build(path.name))
    if build and said and said != build:
        raise UserError(
            f"loci.genes names {path}, which is of {said} by its {where}, but genotypes.build is {build}: supply a "
            f"list of {build}" + ("" if where == "header" else f", or declare loci.genes_build: {build} if it is one")
        )


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
