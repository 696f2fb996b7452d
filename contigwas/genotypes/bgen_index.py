"""Where the variants of a .bgen file stand: from the .bgi beside it, else from one pass over the file."""

import logging
import mmap
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.files import bgi_path
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)

COMPRESSED = (1, 2)  # zlib and zstd, as the flags of the header say; cbgen misreads blocks without compression
COLUMNS = ["chrom", "id", "pos", "effect_allele", "other_allele", "alleles", "start"]
QUERY = (
    "SELECT chromosome AS chrom, rsid AS id, position AS pos, allele2 AS effect_allele, allele1 AS other_allele, "
    "number_of_alleles AS alleles, file_start_position AS start, size_in_bytes AS size FROM Variant"
)
MANY = 1_000_000  # variants: above it a pass over the file takes long enough to advise an index


@dataclass(frozen=True)
class Header:
    """first: where the first variant stands, in bytes; variants, samples: counts; ids: where IDs stand, or None;
    compression: 1 is zlib, 2 is zstd.
    """

    first: int
    variants: int
    samples: int
    ids: int | None
    compression: int


def read_header(path: Path) -> Header:
    """The header of a .bgen file (www.well.ox.ac.uk/~gav/bgen_format). UserError unless of layout 2, compressed."""
    with path.open("rb") as file:
        start = file.read(24)
        if len(start) < 24 or start[16:20] not in (b"bgen", bytes(4)):
            raise UserError(f"{path} is not a .bgen file (wrong first bytes): supply a .bgen file")
        offset, length, variants, samples = struct.unpack_from("<4I", start)
        file.seek(length)
        flags = file.read(4)
    if length < 20 or offset < length or len(flags) < 4:
        raise UserError(f"{path} is not a .bgen file (its header makes no sense), or is cut short: copy it again")
    (flags,) = struct.unpack("<I", flags)
    layout = flags >> 2 & 15
    if layout != 2:
        raise UserError(f"{path} is a .bgen file of layout {layout}: write it again with plink2 --export bgen-1.2")
    if flags & 3 not in COMPRESSED:
        raise UserError(f"{path} is not compressed, which is not read: write it again with plink2 --export bgen-1.2")
    return Header(offset + 4, variants, samples, length + 4 if flags >> 31 else None, flags & 3)


def read_ids(path: Path) -> list[str] | None:
    """The IDs of samples in the header of a .bgen file; None where it has none."""
    header = read_header(path)
    if header.ids is None:
        return None
    with path.open("rb") as file:
        file.seek(header.ids)
        block = file.read(header.first - header.ids)
    names, place = [], 8
    try:
        for _ in range(header.samples):
            name, place = _text(block, place)
            names.append(name.decode("utf-8", errors="replace"))
    except struct.error:
        raise _cut_short(path) from None
    return names


def read_index(path: Path) -> pd.DataFrame:
    """Variants in file order: `chrom id pos effect_allele other_allele alleles start`.

    `alleles` is how many there are, the effect allele the second; `start` is where the variant stands, in bytes.
    Raises UserError when the file is cut short, or the .bgi is that of another file.
    """
    header = read_header(path)
    beside = bgi_path(path)
    if beside.is_file():
        table = _from_bgi(path, beside, header)
    else:
        if header.variants > MANY:
            log.warning("%s has no index: a pass over its %d variants is made; bgenix -index saves it", path,
                        header.variants)  # fmt: skip
        table = _from_pass(path, header)
    return _named(table)


def peek_index(path: Path, most: int) -> pd.DataFrame:
    """The same columns of about `most` variants: the first and the last of the .bgi, without one the first alone.

    Raises UserError when the .bgi is that of a file of another size.
    """
    beside = bgi_path(path)
    if not beside.is_file():
        log.warning("%s has no index: every job makes a pass over it; bgenix -index saves it", path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            rows, place = [], read_header(path).first
            while len(rows) < min(most, read_header(path).variants):
                row, place = _variant(data, place)
                rows.append(row)
        return _named(pd.DataFrame(rows, columns=COLUMNS))
    with _opened(beside) as index:
        size = index.execute("SELECT file_size FROM Metadata").fetchone()
        # the primary key begins with chromosome and position: either end of it is found without a scan
        ends = [f"{QUERY} ORDER BY chromosome {way}, position {way} LIMIT {most // 2}" for way in ("ASC", "DESC")]
        table = pd.concat([pd.read_sql_query(one, index, dtype={"chrom": str, "id": str}) for one in ends])
    if size is not None and size[0] != path.stat().st_size:
        raise UserError(
            f"{path} is cut short, or {beside} is the index of another file (of {size[0]} bytes, the .bgen has "
            f"{path.stat().st_size}): copy the file again or make the index again with bgenix -index"
        )
    return _named(table.drop(columns="size").drop_duplicates("start", ignore_index=True))


def _named(table: pd.DataFrame) -> pd.DataFrame:
    names = {name: chromosome(name) for name in table["chrom"].unique()}
    table["chrom"] = table["chrom"].map(names)
    table["id"] = table["id"].where(table["id"] != "", ".")
    for name in ("effect_allele", "other_allele"):
        table[name] = table[name].str.upper()
    return table.astype({"pos": np.int32, "alleles": np.int32, "start": np.int64})


def genotype_offset(file: BufferedReader, start: int) -> int:
    """Where the genotypes of the variant that stands at `start` begin, in bytes."""
    file.seek(int(start))
    for _ in range(3):
        _skip(file, "<H")
    file.seek(4, 1)
    (alleles,) = struct.unpack("<H", file.read(2))
    for _ in range(alleles):
        _skip(file, "<I")
    return file.tell()


def _skip(file: BufferedReader, width: str) -> None:
    (length,) = struct.unpack(width, file.read(struct.calcsize(width)))
    file.seek(length, 1)


def _from_bgi(path: Path, beside: Path, header: Header) -> pd.DataFrame:
    """Variants from the SQLite index that bgenix writes."""
    with _opened(beside) as index:
        ordered = f"{QUERY} ORDER BY file_start_position"
        table = pd.read_sql_query(ordered, index, dtype={"chrom": str, "id": str})
    end = int((table["start"] + table["size"]).iat[-1]) if len(table) else header.first
    if len(table) != header.variants or end != path.stat().st_size:
        raise UserError(
            f"{path} is cut short, or {beside} is the index of another file (it ends at byte {end}, the .bgen at "
            f"{path.stat().st_size}): copy the file again or make the index again with bgenix -index"
        )
    return table.drop(columns="size")


@contextmanager
def _opened(beside: Path) -> Iterator[sqlite3.Connection]:
    """The index, read-only; UserError where what is asked of it is not there."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(beside))}?mode=ro&immutable=1", uri=True)) as index:
            yield index
    except (sqlite3.Error, pd.errors.DatabaseError):
        raise UserError(f"{beside} is not an index that bgenix wrote: make it again with bgenix -index") from None


def _from_pass(path: Path, header: Header) -> pd.DataFrame:
    """Variants from the file itself."""
    rows = []
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = header.first
        try:
            for _ in range(header.variants):
                row, place = _variant(data, place)
                rows.append(row)
        except struct.error:
            raise _cut_short(path) from None
    if place > size:
        raise _cut_short(path)
    if place < size:
        raise UserError(f"{path} goes on after its last variant (byte {place} of {size}): copy it again")
    return pd.DataFrame(rows, columns=COLUMNS)


def _variant(data: mmap.mmap, start: int) -> tuple[tuple, int]:
    """A row of the index, and where the next variant stands."""
    _, place = _text(data, start)
    rsid, place = _text(data, place)
    chrom, place = _text(data, place)
    pos, count = struct.unpack_from("<IH", data, place)
    place += 6
    alleles = []
    for _ in range(count):
        allele, place = _text(data, place, "<I")
        alleles.append(allele.decode())
    (length,) = struct.unpack_from("<I", data, place)
    second, first = (alleles[1], alleles[0]) if count > 1 else ("", "")
    return (chrom.decode(), rsid.decode(), pos, second, first, count, start), place + 4 + length


def _text(data: bytes | mmap.mmap, place: int, width: str = "<H") -> tuple[bytes, int]:
    """The text whose length stands at `place`, and what follows it. struct.error where the data end before."""
    (length,) = struct.unpack_from(width, data, place)
    start = place + struct.calcsize(width)
    if start + length > len(data):
        raise struct.error
    return data[start : start + length], start + length


def _cut_short(path: Path) -> UserError:
    return UserError(f"{path} is cut short: its header promises more than it holds; copy it again")
