"""Genes in a locus, or nearest to it."""

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
ATTRIBUTES = (r'\bgene_name "([^"]+)"', r'\bgene_id "([^"]+)"')  # of a GTF line: the first one present names the gene


def read_genes(
    path: PathLike,
    build: str | None = None,
    declared: str | None = None,
    ids: bool = False,
    key: str = "loci.genes",
) -> pd.DataFrame:
    """Return genes as chrom (str), start, end (int64, base pairs, 1-based, inclusive), name and strand, in file order.

    The suffix of `path`, gzipped or not, gives the format: .gtf (its lines of type gene, named by gene_name, else
    gene_id), .bed (0-based starts, converted to 1-based), else lines of `chrom start end name` as in PLINK gene lists.
    Comments, a header line and further columns are ignored, except that the first further column that is + or - is the
    strand (else empty). Genes of all types are included.

    `build` is the genome build of the genotypes, `declared` the one that the user declared for the list. Raises
    UserError for a malformed line, for a list whose header names another build, and for a list without a declared build
    whose file name does. With `ids` there is a further column id: the gene_id of a GTF, else the name. `key` is the
    config key of the list.
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
        raise UserError(f"{path}: no gene found. Supply a file with {expected}")
    table = _table(path, lines, first=0 if kind == ".bed" else 1)
    return table if ids else table.drop(columns="id")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file, gzipped or not, numbered from 1; raise UserError for a broken gzip file."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            yield from enumerate(file, 1)
    except (gzip.BadGzipFile, EOFError):
        raise UserError(f"{path} is not a complete gzip file. Download it again, or remove .gz from its name") from None


def _gtf(path: Path, number: int, line: str) -> list[str]:
    """Return chrom, start, end, name, strand and gene_id (else the name) of a GTF line; UserError if malformed."""
    fields = line.rstrip("\n").split("\t")
    names = [found[1] for found in (re.search(one, fields[-1]) for one in ATTRIBUTES) if found]
    if len(fields) < 9 or not names:
        raise UserError(
            f"{path}, line {number}: expected nine columns, the last with gene_name or gene_id. Fix this line"
        )
    return [fields[0], fields[3], fields[4], names[0], fields[6] if fields[6] in STRANDS else "", names[-1]]


def _table(path: Path, lines: list[tuple[int, list[str]]], first: int) -> pd.DataFrame:
    """Return the genes of `lines`; `first` is the number of the first base of a chromosome in the file, 0 or 1."""
    for number, fields in lines:
        if len(fields) < 4 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise UserError(
                f"{path}, line {number}: expected chrom start end name, with positions in base pairs. Fix this line"
            )
        if int(fields[2]) < int(fields[1]) + 1 - first:
            raise UserError(f"{path}, line {number}: the gene ends before it starts. Swap the two positions")
    table = pd.DataFrame([fields for _, fields in lines], columns=["chrom", "start", "end", "name", "strand", "id"])
    table["chrom"] = table["chrom"].map({name: chromosome(name) for name in table["chrom"].unique()})
    table = table.astype({"start": np.int64, "end": np.int64})
    table["start"] += 1 - first
    return table


def _require_build(path: Path, header: str, build: str | None, declared: str | None) -> None:
    """Raise UserError if the header, or the name of a list without a declared build, names another build."""
    found = named_build(header)
    where = "header" if found else "file name"
    found = found or (None if declared else named_build(path.name))
    if build and found and found != build:
        raise UserError(
            f"{path} (loci.genes): the {where} names build {found}, but genotypes.build is {build}. Supply a list of "
            f"{build}" + ("" if where == "header" else f", or set loci.genes_build: {build} if the name is wrong")
        )


def _skipped(line: str) -> bool:
    """Return whether a line is blank, a comment or a header."""
    return not line.strip() or line.lower().startswith(HEADERS)


def genes_of(genes: pd.DataFrame, chrom: str, start: int, end: int, lead: int) -> str:
    """Return the genes that overlap [start, end], the nearest to the lead variant first, joined by commas.

    If there is none, return the nearest gene with its distance, such as `CDKN2B (13021 bp)`, or an empty string if the
    list has no gene on this chromosome. Positions are in base pairs.
    """
    on_chrom = genes[genes["chrom"] == chrom]
    if on_chrom.empty:
        return ""
    first, last = on_chrom["start"].to_numpy(), on_chrom["end"].to_numpy()
    distance = _distance(first, last, start, end)
    if (distance == 0).any():
        inside = on_chrom[distance == 0]
        near = _distance(inside["start"].to_numpy(), inside["end"].to_numpy(), lead, lead)
        order = np.lexsort((inside["name"], inside["start"], near))
        return ",".join(_unique(inside["name"].iloc[order]))
    nearest = int(distance.argmin())
    return f"{on_chrom['name'].iloc[nearest]} ({distance[nearest]} bp)"


def _distance(first: np.ndarray, last: np.ndarray, start: int, end: int) -> np.ndarray:
    """Return the base pairs between the intervals [first, last] and [start, end]; 0 where they overlap."""
    return np.maximum(np.maximum(first - end, start - last), 0)


def _unique(names: Iterable[str]) -> list[str]:
    """Return the names without duplicates, in order."""
    return list(dict.fromkeys(names))
