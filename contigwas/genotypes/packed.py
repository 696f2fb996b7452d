"""The calls of many samples in two bits each, sample by sample, so that a cohort's pruned variants fit into memory."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

IN_BYTE = 4  # calls in a byte
ABSENT = 3  # the code of a call that is not there; 0, 1 and 2 are copies of the effect allele


def _digits(base: np.ndarray) -> np.ndarray:
    """`base` (4,), what each code stands for, of the four calls in every byte: (256, 4)."""
    bytes_ = np.arange(256)[:, None]
    return base[(bytes_ >> (2 * np.arange(IN_BYTE))) & 3]


# Centred at the heterozygote; what is absent adds nothing to a product.
CENTRED = np.ascontiguousarray(_digits(np.array([-1, 0, 1, 0], np.int8))).view(np.uint32).ravel()
HETS, ABSENTS, HOMOZYGOTES = (
    _digits(np.array(base)).sum(axis=1).astype(np.uint8) for base in ([0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0])
)


@dataclass(frozen=True)
class Packed:
    """Calls in two bits: uint8 (samples, bytes); the last byte is filled up with `padding` absent calls."""

    bytes: np.ndarray
    padding: int

    def centred(self, samples: slice, part: slice) -> np.ndarray:
        """Calls less one, 0 where absent: int8 (samples, 4 x bytes of `part`), C order."""
        return CENTRED[self.bytes[samples, part]].view(np.int8)

    def totals(self, table: np.ndarray) -> np.ndarray:
        """Each sample's sum of what `table` (256,) says of a byte: int32 (samples,)."""
        return np.array([table[row].sum(dtype=np.int32) for row in self.bytes], np.int32)


def pack(blocks: Iterable[np.ndarray], samples: int, variants: int) -> Packed:
    """Pack blocks of int8 calls (samples, some variants), negative where absent; `variants` in all, any block sizes."""
    packed = np.full((samples, -(-variants // IN_BYTE)), 255, np.uint8)
    rest, written = np.empty((samples, 0), np.uint8), 0
    for block in blocks:
        codes = np.hstack([rest, np.where(block < 0, ABSENT, block).astype(np.uint8)])
        whole = codes.shape[1] // IN_BYTE
        packed[:, written : written + whole] = _bytes(codes[:, : whole * IN_BYTE])
        written += whole
        rest = codes[:, whole * IN_BYTE :]
    if rest.shape[1]:
        missing = np.full((samples, IN_BYTE - rest.shape[1]), ABSENT, np.uint8)
        packed[:, written:] = _bytes(np.hstack([rest, missing]))
    return Packed(packed, packed.shape[1] * IN_BYTE - variants)


def _bytes(codes: np.ndarray) -> np.ndarray:
    """Codes (samples, 4 x bytes) as bytes (samples, bytes); the first call stands in the lowest bits."""
    return codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
