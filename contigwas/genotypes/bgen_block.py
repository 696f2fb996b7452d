"""Decode the genotype block of one .bgen variant: with numpy in the common case, else with cbgen.

In biobank files (diploid samples, 8 or 16 bits) a block is a table of integers. numpy converts it to dosages three
times as fast as cbgen, including decompression (100,000 samples, one core).
"""

import struct
import zlib
from io import BufferedReader

import cbgen
import numpy as np
import zstandard

DTYPES = {8: np.dtype("u1"), 16: np.dtype("<u2")}
ZLIB = 1
MISSING = 0x80  # bit of a sample's ploidy byte that marks a missing genotype


class CorruptBlock(ValueError):
    """A genotype block is malformed."""


def read_block(file: BufferedReader, offset: int, compression: int) -> bytes:
    """Read and decompress the genotype block at `offset`, in bytes. Raises CorruptBlock when it cannot be read."""
    file.seek(offset)
    try:
        packed, length = struct.unpack("<II", file.read(8))
        data = file.read(packed - 4)
        if compression == ZLIB:
            data = zlib.decompress(data)
        else:
            data = zstandard.ZstdDecompressor().decompress(data, max_output_size=length)
    except (struct.error, ValueError, zlib.error, zstandard.ZstdError) as error:
        raise CorruptBlock(str(error)) from None
    if len(data) != length or length < 10:
        raise CorruptBlock("the block does not have the length in its header")
    return data


def common_dosages(data: bytes, samples: int) -> np.ndarray | None:
    """Decode dosages of the second allele: float32 (samples,), NaN where missing; None if the block is not common.

    A common block has two alleles, only diploid samples, and 8 or 16 bits. Raises CorruptBlock when the block
    is malformed.
    """
    count, alleles, min_ploidy, max_ploidy = struct.unpack_from("<IHBB", data)
    phased, bits = data[8 + count : 10 + count] if 10 + count <= len(data) else (0, 0)
    if count != samples or bits == 0:
        raise CorruptBlock("the block and the file have different numbers of samples")
    if (alleles, min_ploidy, max_ploidy) != (2, 2, 2) or bits not in DTYPES:
        return None
    dtype = DTYPES[bits]
    if len(data) != 10 + samples + 2 * samples * dtype.itemsize:
        raise CorruptBlock("the length of the block does not match its number of samples")
    numbers = np.frombuffer(data, dtype, offset=10 + samples).reshape(samples, 2)
    max_value = 2**bits - 1
    first, second = numbers[:, 0].astype(np.int32), numbers[:, 1]
    dosages = ((2 * max_value - first * (1 if phased else 2) - second) / np.float32(max_value)).astype(
        np.float32, copy=False
    )
    flags = np.frombuffer(data, np.uint8, samples, 8)
    dosages[flags & MISSING != 0] = np.nan
    if not phased and (first + second > max_value)[flags & MISSING == 0].any():
        raise CorruptBlock("probabilities sum to more than 1")
    return dosages


def any_dosages(bgen: cbgen.bgen_file, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Decode dosages of the second allele (float32, NaN where missing) and ploidy (bool, True if haploid): (samples,).

    The dosage of a haploid sample is doubled. Raises CorruptBlock when the block cannot be read, and ValueError when
    the ploidy of a sample is above two.
    """
    try:
        genotype = bgen.read_genotype(offset, 32)
    except RuntimeError as error:
        raise CorruptBlock(str(error)) from None
    probabilities, ploidy = genotype.probability, genotype.ploidy
    if ploidy.max(initial=0) > 2:
        raise ValueError("the ploidy of a sample is above two")
    dosages = np.full(len(probabilities), np.nan, np.float32)
    haploid, diploid = ploidy == 1, ploidy == 2
    dosages[haploid] = 2 * probabilities[haploid, 1]
    if diploid.any():
        diploid_probabilities = probabilities[diploid]
        dosages[diploid] = diploid_probabilities[:, 1] + (
            diploid_probabilities[:, 3] if genotype.phased else 2 * diploid_probabilities[:, 2]
        )
    dosages[genotype.missing] = np.nan
    return dosages, haploid
