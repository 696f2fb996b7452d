"""The genotypes of one variant of a .bgen file: decoded here in the common case, by cbgen in all others.

What biobanks store (diploid samples, 8 or 16 bits) is a table of whole numbers, which numpy turns into dosages three
times as fast as cbgen, decompression included (100,000 samples, one core).
"""

import struct
import zlib
from io import BufferedReader

import cbgen
import numpy as np
import zstandard

WIDTHS = {8: np.dtype("u1"), 16: np.dtype("<u2")}
ZLIB = 1
MISSING = 0x80  # the bit of a sample's byte that says so


class Damaged(ValueError):
    """A block does not hold what it must."""


def read_block(file: BufferedReader, offset: int, compression: int) -> bytes:
    """The uncompressed genotypes that stand at `offset`; `Damaged` where they cannot be read."""
    file.seek(offset)
    try:
        packed, length = struct.unpack("<II", file.read(8))
        data = file.read(packed - 4)
        if compression == ZLIB:
            data = zlib.decompress(data)
        else:
            data = zstandard.ZstdDecompressor().decompress(data, max_output_size=length)
    except (struct.error, ValueError, zlib.error, zstandard.ZstdError) as error:
        raise Damaged(str(error)) from None
    if len(data) != length or length < 10:
        raise Damaged("another length than announced")
    return data


def common_dosages(data: bytes, samples: int) -> np.ndarray | None:
    """Expected copies of the second allele, float32 (samples,), NaN where missing; None where it is not a common block.

    Common is: two alleles, everyone diploid, 8 or 16 bits.
    """
    count, alleles, least, most = struct.unpack_from("<IHBB", data)
    phased, bits = data[8 + count : 10 + count] if 10 + count <= len(data) else (0, 0)
    if count != samples or bits == 0:
        raise Damaged("another number of samples than the file's")
    if (alleles, least, most) != (2, 2, 2) or bits not in WIDTHS:
        return None
    kind = WIDTHS[bits]
    if len(data) != 10 + samples + 2 * samples * kind.itemsize:
        raise Damaged("another length than its samples call for")
    numbers = np.frombuffer(data, kind, offset=10 + samples).reshape(samples, 2)
    top = 2**bits - 1
    first, second = numbers[:, 0].astype(np.int32), numbers[:, 1]
    dosages = ((2 * top - first * (1 if phased else 2) - second) / np.float32(top)).astype(np.float32, copy=False)
    flags = np.frombuffer(data, np.uint8, samples, 8)
    dosages[flags & MISSING != 0] = np.nan
    if not phased and (first + second > top)[flags & MISSING == 0].any():
        raise Damaged("probabilities that add up to more than 1")
    return dosages


def any_dosages(bgen: cbgen.bgen_file, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Expected copies of the second allele, float32, NaN where missing, and who is haploid; both (samples,).

    A haploid sample counts twice. `Damaged` where the block cannot be read, ValueError where a sample has more than
    two copies.
    """
    try:
        genotype = bgen.read_genotype(offset, 32)
    except RuntimeError as error:
        raise Damaged(str(error)) from None
    p, ploidy = genotype.probability, genotype.ploidy
    if ploidy.max(initial=0) > 2:
        raise ValueError("more than two copies a sample")
    dosages = np.full(len(p), np.nan, np.float32)
    haploid, diploid = ploidy == 1, ploidy == 2
    dosages[haploid] = 2 * p[haploid, 1]
    if diploid.any():
        two = p[diploid]
        dosages[diploid] = two[:, 1] + (two[:, 3] if genotype.phased else 2 * two[:, 2])
    dosages[genotype.missing] = np.nan
    return dosages, haploid
