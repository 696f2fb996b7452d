"""What the header of a .pgen file says: counts, the size the file must have, and whether it stores dosages."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contigwas.runtime.errors import UserError

MAGIC = b"\x6c\x1b"
PLINK1 = 0x01
FIXED_WIDTH = {0x02: 2, 0x03: 18, 0x04: 34}  # bits a sample: hard calls, 16-bit dosages, phased 16-bit dosages
VARIABLE_WIDTH = 0x10
BLOCK = 2**16  # variants
DOSAGE = 0x60  # bits of a record's type: it has dosages


@dataclass(frozen=True)
class Header:
    """variants, samples: counts; size: bytes the file must have, None where the header does not tell;
    dosages: whether a record stores dosages (True where the header does not tell).
    """

    variants: int
    samples: int
    size: int | None
    dosages: bool


def read_header(path: Path) -> Header:
    """The header of a .pgen file, as plink2's specification lays it out (github.com/chrchang/plink-ng, pgen_spec).

    Raises UserError when the file is no .pgen or ends within its header.
    """
    with path.open("rb") as file:
        start = file.read(12)
        if start[:2] != MAGIC:
            raise UserError(f"{path} is not a .pgen file (wrong first bytes): supply a .pgen file that plink2 wrote")
        if start[2:3] == bytes([PLINK1]):
            raise UserError(f"{path} is a PLINK 1 .bed file by another name: call it .bed, beside its .bim and .fam")
        if len(start) < 12:
            raise _cut_short(path)
        mode, variants, samples, control = struct.unpack_from("<BIIB", start, 2)
        if mode in FIXED_WIDTH:
            return Header(variants, samples, *_fixed(mode, variants, samples))
        if mode != VARIABLE_WIDTH or control & 15 > 7:
            return Header(variants, samples, None, True)
        return Header(variants, samples, *_variable(path, file, variants, control))


def _fixed(mode: int, variants: int, samples: int) -> tuple[int, bool]:
    calls = -(-samples // 4)
    numbers = (FIXED_WIDTH[mode] - 2) // 8 * samples
    return 12 + variants * (calls + numbers), mode != 0x02


def _variable(path: Path, file, variants: int, control: int) -> tuple[int, bool]:
    """Size and dosages from the records' types and lengths, which stand in blocks of 65,536 variants."""
    wide = control & 15 >= 4  # one byte a type, else half a byte and neither dosages nor phase anywhere
    width = (control & 3) + 1
    counts, flags = control >> 4 & 3, control >> 6 == 3
    blocks = -(-variants // BLOCK)
    offsets = np.frombuffer(_exactly(path, file, 8 * blocks), "<u8")
    size, dosages = 12, False
    for number in range(blocks):
        many = min(BLOCK, variants - number * BLOCK)
        types = np.frombuffer(_exactly(path, file, many if wide else -(-many // 2)), np.uint8)
        dosages |= wide and bool((types & DOSAGE).any())
        lengths = np.frombuffer(_exactly(path, file, many * width), np.uint8).reshape(many, width)
        total = int((lengths.sum(axis=0, dtype=np.int64) << (8 * np.arange(width))).sum())
        _exactly(path, file, many * counts + (-(-many // 8) if flags else 0))
        size = int(offsets[number]) + total
    return size, dosages


def _exactly(path: Path, file, count: int) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise _cut_short(path)
    return found


def _cut_short(path: Path) -> UserError:
    return UserError(f"{path} is cut short within its header: copy it again")
