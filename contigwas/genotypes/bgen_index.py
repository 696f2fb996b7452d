"""Index of the variants of a .bgen file, from its .bgi or from one pass over the file."""

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

COMPRESSED = (1, 2)  # header flags of zlib and zstd; cbgen misreads uncompressed blocks
COLUMNS = ["chrom", "id", "pos", "effect_allele", "other_allele", "alleles", "start"]
QUERY = (
    "SELECT chromosome AS chrom, rsid AS id, position AS pos, allele2 AS effect_allele, allele1 AS other_allele, "
    "number_of_alleles AS alleles, file_start_position AS start, size_in_bytes AS size FROM Variant"
)
MANY_VARIANTS = 1_000_000  # above this number a pass over the file is slow, and an index is recommended


@dataclass(frozen=True)
class Header:
    """Header of a .bgen file.

    Attributes:
        first: byte offset of the first variant.
        variants: number of variants.
        samples: number of samples.
        ids: byte offset of the sample IDs; None if the file contains no IDs.
        compression: 1 is zlib, 2 is zstd.
    """

    first: int
    variants: int
    samples: int
    ids: int | None
    compression: int


def read_header(path: Path) -> Header:
    """Read the header of a .bgen file (www.well.ox.ac.uk/~gav/bgen_format).

    Raises UserError unless the file is a compressed .bgen of layout 2.
    """
    with path.open("rb") as file:
        start = file.read(24)
        if len(start) < 24 or start[16:20] not in (b"bgen", bytes(4)):
            raise UserError(f"{path} is not a .bgen file (wrong first bytes). Supply a .bgen file.")
        offset, length, variants, samples = struct.unpack_from("<4I", start)
        file.seek(length)
        flags = file.read(4)
    if length < 20 or offset < length or len(flags) < 4:
        raise UserError(f"{path} is not a .bgen file (invalid header), or is truncated. Copy it again.")
    (flags,) = struct.unpack("<I", flags)
    layout = flags >> 2 & 15
    if layout != 2:
        raise UserError(
            f"{path} is a .bgen file of layout {layout}, which is not supported. "
            "Write it again with plink2 --export bgen-1.2."
        )
    if flags & 3 not in COMPRESSED:
        raise UserError(
            f"{path} is an uncompressed .bgen, which is not supported. Write it again with plink2 --export bgen-1.2."
        )
    return Header(offset + 4, variants, samples, length + 4 if flags >> 31 else None, flags & 3)


def read_ids(path: Path) -> list[str] | None:
    """Read the sample IDs in the header of a .bgen file; None if it contains none.

    Raises UserError when the file is truncated.
    """
    header = read_header(path)
    if header.ids is None:
        return None
    with path.open("rb") as file:
        file.seek(header.ids)
        block = file.read(header.first - header.ids)
    names, offset = [], 8
    try:
        for _ in range(header.samples):
            name, offset = _read_string(block, offset)
            names.append(name.decode("utf-8", errors="replace"))
    except struct.error:
        raise _truncated_error(path) from None
    return names


def read_index(path: Path) -> pd.DataFrame:
    """Read the variants in file order: `chrom id pos effect_allele other_allele alleles start`.

    `alleles` is the number of alleles; the effect allele is the second. `start` is the byte offset of the variant.
    Raises UserError when the file is truncated, or the .bgi belongs to another file.
    """
    header = read_header(path)
    index_path = bgi_path(path)
    if index_path.is_file():
        table = _read_bgi(path, index_path, header)
    else:
        if header.variants > MANY_VARIANTS:
            log.warning("%s has no index, so the whole file is scanned (%d variants). Create an index with bgenix "
                        "-index.", path, header.variants)  # fmt: skip
        table = _scan_file(path, header)
    return _normalise(table)


def peek_index(path: Path, max_variants: int) -> pd.DataFrame:
    """Read at most `max_variants` variants: from both ends of the .bgi, or from the start of the .bgen.

    The columns are those of `read_index`.

    Raises UserError when the .bgi belongs to a file of another size.
    """
    index_path = bgi_path(path)
    if not index_path.is_file():
        log.warning("%s has no index, so every job scans the whole file. Create an index with bgenix -index.", path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            rows, offset = [], read_header(path).first
            while len(rows) < min(max_variants, read_header(path).variants):
                row, offset = _read_variant(data, offset)
                rows.append(row)
        return _normalise(pd.DataFrame(rows, columns=COLUMNS))
    with _open_bgi(index_path) as index:
        size = index.execute("SELECT file_size FROM Metadata").fetchone()
        # the primary key begins with chromosome and position, so both ends are found without a scan
        queries = [
            f"{QUERY} ORDER BY chromosome {way}, position {way} LIMIT {max_variants // 2}" for way in ("ASC", "DESC")
        ]
        table = pd.concat([pd.read_sql_query(query, index, dtype={"chrom": str, "id": str}) for query in queries])
    if size is not None and size[0] != path.stat().st_size:
        raise UserError(
            f"{path} is truncated, or {index_path} is the index of another file (of {size[0]} bytes; the .bgen has "
            f"{path.stat().st_size}). Copy the .bgen again, or create the index again with bgenix -index."
        )
    return _normalise(table.drop(columns="size").drop_duplicates("start", ignore_index=True))


def _normalise(table: pd.DataFrame) -> pd.DataFrame:
    """Normalise chromosome names, missing IDs, alleles and dtypes."""
    names = {name: chromosome(name) for name in table["chrom"].unique()}
    table["chrom"] = table["chrom"].map(names)
    table["id"] = table["id"].where(table["id"] != "", ".")
    for name in ("effect_allele", "other_allele"):
        table[name] = table[name].str.upper()
    return table.astype({"pos": np.int32, "alleles": np.int32, "start": np.int64})


def genotype_offset(file: BufferedReader, start: int) -> int:
    """Return the byte offset of the genotype block of the variant at byte offset `start`."""
    file.seek(int(start))
    for _ in range(3):
        _skip(file, "<H")
    file.seek(4, 1)
    (alleles,) = struct.unpack("<H", file.read(2))
    for _ in range(alleles):
        _skip(file, "<I")
    return file.tell()


def _skip(file: BufferedReader, width: str) -> None:
    """Skip one string that is preceded by its length; `width` is the struct format of the length."""
    (length,) = struct.unpack(width, file.read(struct.calcsize(width)))
    file.seek(length, 1)


def _read_bgi(path: Path, index_path: Path, header: Header) -> pd.DataFrame:
    """Read the variants from the SQLite index that bgenix writes."""
    with _open_bgi(index_path) as index:
        ordered = f"{QUERY} ORDER BY file_start_position"
        table = pd.read_sql_query(ordered, index, dtype={"chrom": str, "id": str})
    end = int((table["start"] + table["size"]).iat[-1]) if len(table) else header.first
    if len(table) != header.variants or end != path.stat().st_size:
        raise UserError(
            f"{path} is truncated, or {index_path} is the index of another file (it ends at byte {end}, the .bgen at "
            f"{path.stat().st_size}). Copy the .bgen again, or create the index again with bgenix -index."
        )
    return table.drop(columns="size")


@contextmanager
def _open_bgi(index_path: Path) -> Iterator[sqlite3.Connection]:
    """Open the index read-only. Raises UserError when it is not a database that bgenix wrote."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(index_path))}?mode=ro&immutable=1", uri=True)) as index:
            yield index
    except (sqlite3.Error, pd.errors.DatabaseError):
        raise UserError(
            f"{index_path} is not an index that bgenix wrote. Create it again with bgenix -index."
        ) from None


def _scan_file(path: Path, header: Header) -> pd.DataFrame:
    """Read the variants from the .bgen file itself."""
    rows = []
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        offset = header.first
        try:
            for _ in range(header.variants):
                row, offset = _read_variant(data, offset)
                rows.append(row)
        except struct.error:
            raise _truncated_error(path) from None
    if offset > size:
        raise _truncated_error(path)
    if offset < size:
        raise UserError(f"{path} contains data after its last variant (byte {offset} of {size}). Copy it again.")
    return pd.DataFrame(rows, columns=COLUMNS)


def _read_variant(data: mmap.mmap, start: int) -> tuple[tuple, int]:
    """Return one row of the index and the byte offset of the next variant."""
    _, offset = _read_string(data, start)
    rsid, offset = _read_string(data, offset)
    chrom, offset = _read_string(data, offset)
    pos, count = struct.unpack_from("<IH", data, offset)
    offset += 6
    alleles = []
    for _ in range(count):
        allele, offset = _read_string(data, offset, "<I")
        alleles.append(allele.decode())
    (length,) = struct.unpack_from("<I", data, offset)
    second, first = (alleles[1], alleles[0]) if count > 1 else ("", "")
    return (chrom.decode(), rsid.decode(), pos, second, first, count, start), offset + 4 + length


def _read_string(data: bytes | mmap.mmap, offset: int, width: str = "<H") -> tuple[bytes, int]:
    """Return the string at byte offset `offset`, which is preceded by its length, and the offset after it.

    Raises struct.error when the data end before the string does.
    """
    (length,) = struct.unpack_from(width, data, offset)
    start = offset + struct.calcsize(width)
    if start + length > len(data):
        raise struct.error
    return data[start : start + length], start + length


def _truncated_error(path: Path) -> UserError:
    return UserError(f"{path} is truncated: it is shorter than its header says. Copy it again.")
