"""A sample is an IID string. Joins, duplicates, and the shape of an ID for messages that must not name anyone."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.errors import UserError


def shape(ids: Iterable[str]) -> str:
    """The most common shape among IDs, without naming one: `7 digits`, `HG and 5 digits`, `no ID at all`.

    >>> shape(["1000014", "2000025"])
    '7 digits'
    >>> shape(["HG00096"])
    'HG and 5 digits'
    """
    counts = Counter(_shape(str(one)) for one in ids)
    return counts.most_common(1)[0][0] if counts else "no ID at all"


def _shape(one: str) -> str:
    parts = []
    pieces = re.findall(r"\d+|[^\d]+", one)
    for piece in pieces:
        if piece.isdigit():
            parts.append(f"{len(piece)} digits" if len(piece) > 1 else "1 digit")
        else:
            # a short prefix before digits is a study's, letters alone may be a sample's
            parts.append(piece if len(piece) <= 4 and len(pieces) > 1 else f"{len(piece)} characters")
    return " and ".join(parts) if parts else "empty"


def require_unique(ids: Sequence[str], path: object) -> None:
    """Raise UserError when an IID is duplicated in `path`."""
    ids = pd.Index(ids)
    twice = int(ids[ids.duplicated()].nunique())
    if twice:
        raise UserError(
            f"{path}: {twice} individual IDs appear more than once (of the shape {shape(ids[ids.duplicated()])}): "
            "keep one row a sample"
        )


def rows_of(wanted: Sequence[str], have: Sequence[str]) -> np.ndarray:
    """Where each wanted IID stands in `have`; -1 where it does not. int64, shape (wanted,)."""
    return pd.Index(have).get_indexer(pd.Index(wanted))


def require_overlap(left: Sequence[str], right: Sequence[str], left_name: str, right_name: str) -> None:
    """Raise UserError when two sets of samples share nobody: counts on each side and the shape of the IDs."""
    if not pd.Index(left).intersection(pd.Index(right)).size:
        raise UserError(
            f"no sample is in both {left_name} ({len(left)} samples, IDs of {shape(left)}) and {right_name} "
            f"({len(right)} samples, IDs of {shape(right)}): IIDs must be written the same way in both"
        )
