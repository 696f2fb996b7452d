"""Read the header of a .pgen file: counts, expected size, and whether it stores dosages."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contigwas.runtime.errors import UserError

MAGIC = b"\x6c\x1b"
PLINK1 = 0x01
FIXED_WIDTH = {0x02: 2, 0x03: 18, 0x04: 34}  # bits per sample: hard calls, 16-bit dosages, phased 16-bit dosages
VARIABLE_WIDTH = 0x10
BLOCK = 2**16  # variants per block of the header
DOSAGE = 0x60  # bits of a record type that mark dosages


@dataclass(frozen=True)
class Header:
    """Header of a .pgen file.

    Attributes:
        variants: number of variants.
        samples: number of samples.
        size: expected size of the file in bytes; None if the header does not determine it.
        dosages: whether a record stores dosages; True if the header does not determine it.
    """

    variants: int
    samples: int
    size: int | None
    dosages: bool


def read_header(path: Path) -> Header:
    """Read the header of a .pgen file (specification: github.com/chrchang/plink-ng, pgen_spec).

    Raises UserError when the file is not a .pgen or ends within its header.
    """
    with path.open("rb") as file:
        start = file.read(12)
        if start[:2] != MAGIC:
            raise UserError(f"{path} is not a .pgen file (wrong first bytes). Supply a .pgen file that plink2 wrote.")
        if start[2:3] == bytes([PLINK1]):
            raise UserError(f"{path} is a PLINK 1 .bed file. Rename it to .bed, next to its .bim and .fam.")
        if len(start) < 12:
            raise _truncated_error(path)
        mode, variants, samples, control = struct.unpack_from("<BIIB", start, 2)
        if mode in FIXED_WIDTH:
            return Header(variants, samples, *_fixed_width(mode, variants, samples))
        if mode != VARIABLE_WIDTH or control & 15 > 7:
            return Header(variants, samples, None, True)
        return Header(variants, samples, *_variable_width(path, file, variants, control))


def _fixed_width(mode: int, variants: int, samples: int) -> tuple[int, bool]:
    """Return the size in bytes and whether there are dosages, for records of fixed width."""
    calls = -(-samples // 4)
    numbers = (FIXED_WIDTH[mode] - 2) // 8 * samples
    return 12 + variants * (calls + numbers), mode != 0x02


def _variable_width(path: Path, file, variants: int, control: int) -> tuple[int, bool]:
    """Return the size in bytes and whether there are dosages, for records of variable width.

    The header stores the types and lengths of the records in blocks of 65,536 variants.
    """
    wide = control & 15 >= 4  # one byte per type; else half a byte, and the file has neither dosages nor phase
    width = (control & 3) + 1
    counts, flags = control >> 4 & 3, control >> 6 == 3
    blocks = -(-variants // BLOCK)
    offsets = np.frombuffer(_read_exactly(path, file, 8 * blocks), "<u8")
    size, dosages = 12, False
    for number in range(blocks):
        variants_in_block = min(BLOCK, variants - number * BLOCK)
        types = np.frombuffer(
            _read_exactly(path, file, variants_in_block if wide else -(-variants_in_block // 2)), np.uint8
        )
        dosages |= wide and bool((types & DOSAGE).any())
        lengths = np.frombuffer(_read_exactly(path, file, variants_in_block * width), np.uint8).reshape(
            variants_in_block, width
        )
        total = int((lengths.sum(axis=0, dtype=np.int64) << (8 * np.arange(width))).sum())
        _read_exactly(path, file, variants_in_block * counts + (-(-variants_in_block // 8) if flags else 0))
        size = int(offsets[number]) + total
    return size, dosages


def _read_exactly(path: Path, file, count: int) -> bytes:
    """Read exactly `count` bytes. Raises UserError when the file ends before."""
    found = file.read(count)
    if len(found) < count:
        raise _truncated_error(path)
    return found


def _truncated_error(path: Path) -> UserError:
    return UserError(f"{path} is truncated within its header. Copy it again.")
