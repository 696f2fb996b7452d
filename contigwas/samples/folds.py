"""Folds and held-out shares by a stable hash of the family: nobody else moves when one sample leaves."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np


def stable_hash(text: str) -> int:
    """A 64-bit number that depends on the text alone: not on Python's hash seed, the machine, or other samples."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def assign_folds(families: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """The fold 0 … `folds` - 1 of each family: int64, the same shape as `families`."""
    if folds < 1:
        raise ValueError(f"folds must be at least 1, not {folds}")
    numbers = {family: stable_hash(f"{seed}:{family}") % folds for family in set(families)}
    return np.array([numbers[family] for family in families], dtype=np.int64)


def heldout_share(families: Sequence[str], share: float, seed: int, salt: str = "heldout") -> np.ndarray:
    """Whether each family belongs to a share drawn by hash: bool, the same shape as `families`.

    `salt` separates draws with one seed from each other and from the folds: "heldout", "validation".
    """
    limit = share * 2.0**64
    drawn = {family: stable_hash(f"{salt}:{seed}:{family}") < limit for family in set(families)}
    return np.array([drawn[family] for family in families], dtype=bool)
