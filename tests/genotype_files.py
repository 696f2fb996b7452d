"""Small .pgen and .bgen files for tests, written byte by byte or with pgenlib."""

import sqlite3
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pgenlib
import zstandard

COMPRESSION = {"zlib": 1, "zstd": 2}


def position(place: int, chrom: str) -> int:
    """Return positions at intervals of 1000 base pairs; on X outside the pseudo-autosomal region."""
    return 1000 * (place + 1) + (10_000_000 if chrom == "X" else 0)


def write_pgen(
    path: Path, values: np.ndarray, names: Sequence[str], chroms: Sequence[str], sexes: Sequence[object] = ()
) -> Path:
    """Write path (.pgen) with .pvar and .psam: REF G, ALT A, placed by `position`.

    `values` (samples, variants): int8 calls, -127 where missing, or float32 dosages with NaN.
    """
    samples, variants = values.shape
    whole = values.dtype == np.int8
    writer = pgenlib.PgenWriter(bytes(path), samples, variant_ct=variants, nonref_flags=False, dosage_present=not whole)
    for column in values.T:
        if whole:
            writer.append_biallelic(np.where(column < 0, -9, column).astype(np.int8))
        else:
            writer.append_dosages(np.where(np.isnan(column), -9, column).astype(np.float32))
    writer.close()
    rows = "".join(f"{chrom}\t{position(i, chrom)}\trs{chrom}_{i}\tG\tA\n" for i, chrom in enumerate(chroms))
    path.with_suffix(".pvar").write_text("##a comment\n#CHROM\tPOS\tID\tREF\tALT\n" + rows)
    sexes = sexes or [1 + i % 2 for i in range(samples)]
    rows = "".join(f"{name}\t{name}\t{sex}\n" for name, sex in zip(names, sexes, strict=True))
    path.with_suffix(".psam").write_text("#FID\tIID\tSEX\n" + rows)
    return path


def write_bgen(
    path: Path,
    shares: np.ndarray,
    names: Sequence[str],
    chroms: Sequence[str],
    bits: int = 8,
    phased: bool = False,
    ploidy: np.ndarray | None = None,
    missing: np.ndarray | None = None,
    compression: str = "zlib",
    ids: bool = True,
    alleles: Sequence[Sequence[str]] = (),
) -> Path:
    """Write a .bgen of layout 2, as specified: first allele G, second allele A, positions as in
    `position`.

    `shares` (samples, variants, 2), whole numbers of 2^bits - 1: the probabilities of GG and GA, or, if `phased`, of G
    on each haplotype; of a haploid sample (`ploidy` 1) the first is that of G. `missing` (samples, variants). More
    `alleles` than two are written with the same bytes, which must not be read.
    """
    samples, variants = shares.shape[:2]
    ploidy = np.full(samples, 2) if ploidy is None else ploidy
    missing = np.zeros((samples, variants), bool) if missing is None else missing
    block = b"".join(_text(name) for name in names)
    block = struct.pack("<II", 8 + len(block), samples) + block if ids else b""
    flags = COMPRESSION[compression] | 2 << 2 | ids << 31
    header = struct.pack("<III", 20, variants, samples) + b"bgen" + struct.pack("<I", flags)
    parts = [struct.pack("<I", len(header) + len(block)) + header + block]
    for i, chrom in enumerate(chroms):
        named = alleles[i] if alleles else ("G", "A")
        parts += [
            _text(f"v{i}"),
            _text(f"rs{chrom}_{i}"),
            _text(chrom),
            struct.pack("<IH", position(i, chrom), len(named)),
        ]
        parts += [_text(allele, "<I") for allele in named]
        parts.append(_genotypes(shares[:, i], ploidy, missing[:, i], bits, phased, compression))
    path.write_bytes(b"".join(parts))
    return path


def expected_dosages(
    shares: np.ndarray, bits: int, phased: bool = False, ploidy: np.ndarray | None = None, missing: object = None
) -> np.ndarray:
    """Return the copies of A in `write_bgen`: float64 (samples, variants), NaN if missing, haploid calls twice."""
    top = 2**bits - 1
    first, second = shares[..., 0] / top, shares[..., 1] / top
    dosages = 2 - first - second if phased else 2 - 2 * first - second
    if ploidy is not None:
        dosages = np.where((ploidy == 1)[:, None], 2 * (1 - first), dosages)
    return dosages if missing is None else np.where(missing, np.nan, dosages)


def write_bgi(bgen: Path, starts: Sequence[int], chroms: Sequence[str]) -> Path:
    """Write the index of a file of `write_bgen`, as bgenix does; `starts` are its variants and the end of the file."""
    path = Path(f"{bgen}.bgi")
    with sqlite3.connect(path) as index:
        index.execute(
            "CREATE TABLE Variant (chromosome TEXT NOT NULL, position INT NOT NULL, rsid TEXT NOT NULL, "
            "number_of_alleles INT NOT NULL, allele1 TEXT NOT NULL, allele2 TEXT NULL, "
            "file_start_position INT NOT NULL, size_in_bytes INT NOT NULL)"
        )
        index.execute("CREATE TABLE Metadata (filename TEXT NOT NULL, file_size INT NOT NULL)")
        index.execute("INSERT INTO Metadata VALUES (?, ?)", (bgen.name, int(starts[-1])))
        rows = [
            (chrom, position(i, chrom), f"rs{chrom}_{i}", 2, "G", "A", int(starts[i]), int(starts[i + 1] - starts[i]))
            for i, chrom in enumerate(chroms)
        ]
        index.executemany("INSERT INTO Variant VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows[::-1])
    index.close()
    return path


def write_sample(path: Path, names: Sequence[str], sexes: Sequence[object]) -> Path:
    """Write a .sample file."""
    rows = "".join(f"F{name} {name} 0 {sex}\n" for name, sex in zip(names, sexes, strict=True))
    path.write_text("ID_1 ID_2 missing sex\n0 0 0 D\n" + rows)
    return path


def _text(text: str, width: str = "<H") -> bytes:
    return struct.pack(width, len(text)) + text.encode()


def _genotypes(
    shares: np.ndarray, ploidy: np.ndarray, missing: np.ndarray, bits: int, phased: bool, compression: str
) -> bytes:
    bytes_of = ploidy.astype(np.uint8) | (missing.astype(np.uint8) << 7)
    numbers = []
    for sample, copies in zip(shares, ploidy, strict=True):
        numbers += sample[:copies].tolist()
    stream = sum(int(number) << (bits * place) for place, number in enumerate(numbers))
    packed = stream.to_bytes(-(-bits * len(numbers) // 8), "little")
    ends = bytes([int(ploidy.min()), int(ploidy.max())])
    data = struct.pack("<IH", len(ploidy), 2) + ends + bytes_of.tobytes() + bytes([phased, bits]) + packed
    squeezed = zlib.compress(data) if compression == "zlib" else zstandard.compress(data)
    return struct.pack("<II", len(squeezed) + 4, len(data)) + squeezed
