"""Sample-major hard calls in two bits each, so that the pruned variants of a cohort fit into memory."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

CALLS_PER_BYTE = 4
MISSING_CODE = 3  # 0, 1 and 2 are copies of the effect allele


def _digits(base: np.ndarray) -> np.ndarray:
    """Return the values of the four calls in every byte: (256, 4). `base` (4,) is the value of each code."""
    bytes_ = np.arange(256)[:, None]
    return base[(bytes_ >> (2 * np.arange(CALLS_PER_BYTE))) & 3]


# Heterozygous and missing calls are 0, so a missing call adds nothing to a product.
CENTRED = np.ascontiguousarray(_digits(np.array([-1, 0, 1, 0], np.int8))).view(np.uint32).ravel()
HET_COUNTS, MISSING_COUNTS, HOMOZYGOUS_COUNTS = (
    _digits(np.array(base)).sum(axis=1).astype(np.uint8) for base in ([0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0])
)


@dataclass(frozen=True)
class Packed:
    """Calls in two bits: uint8 (samples, bytes). The last byte is padded with `padding` missing calls."""

    bytes: np.ndarray
    padding: int

    def centred(self, samples: slice, part: slice) -> np.ndarray:
        """Return calls minus one, 0 where missing: int8 (samples, 4 x bytes of `part`), C order."""
        return CENTRED[self.bytes[samples, part]].view(np.int8)

    def totals(self, table: np.ndarray) -> np.ndarray:
        """Sum `table` (256,), a value for each byte, over the bytes of each sample: int32 (samples,)."""
        return np.array([table[row].sum(dtype=np.int32) for row in self.bytes], np.int32)


def pack(blocks: Iterable[np.ndarray], samples: int, variants: int) -> Packed:
    """Pack blocks of int8 calls (samples, block size), negative where missing.

    Blocks may have any size. `variants` is the total number of variants.
    """
    packed = np.full((samples, -(-variants // CALLS_PER_BYTE)), 255, np.uint8)
    rest, written = np.empty((samples, 0), np.uint8), 0
    for block in blocks:
        codes = np.hstack([rest, np.where(block < 0, MISSING_CODE, block).astype(np.uint8)])
        full_bytes = codes.shape[1] // CALLS_PER_BYTE
        packed[:, written : written + full_bytes] = _bytes(codes[:, : full_bytes * CALLS_PER_BYTE])
        written += full_bytes
        rest = codes[:, full_bytes * CALLS_PER_BYTE :]
    if rest.shape[1]:
        missing = np.full((samples, CALLS_PER_BYTE - rest.shape[1]), MISSING_CODE, np.uint8)
        packed[:, written:] = _bytes(np.hstack([rest, missing]))
    return Packed(packed, packed.shape[1] * CALLS_PER_BYTE - variants)


def _bytes(codes: np.ndarray) -> np.ndarray:
    """Pack codes (samples, 4 x bytes) into bytes (samples, bytes). The first call is in the lowest bits."""
    return codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
