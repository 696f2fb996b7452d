"""Folds and held-out shares from a stable hash of the family, so that removing a sample moves no other sample."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np


def stable_hash(text: str) -> int:
    """Return a 64-bit hash of `text`, which does not depend on Python's hash seed or the machine."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def assign_folds(families: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """Return the fold 0 … `folds` - 1 of each family: int64, same shape as `families`.

    Raises ValueError when `folds` is below 1.
    """
    if folds < 1:
        raise ValueError(f"folds must be at least 1, not {folds}")
    numbers = {family: stable_hash(f"{seed}:{family}") % folds for family in set(families)}
    return np.array([numbers[family] for family in families], dtype=np.int64)


def heldout_share(families: Sequence[str], share: float, seed: int, salt: str = "heldout") -> np.ndarray:
    """Return whether each family is in a random share, chosen by hash: bool, same shape as `families`.

    `salt` ("heldout", "validation") makes shares with the same seed independent of each other and of the folds.
    """
    threshold = share * 2.0**64
    selected = {family: stable_hash(f"{salt}:{seed}:{family}") < threshold for family in set(families)}
    return np.array([selected[family] for family in families], dtype=bool)
