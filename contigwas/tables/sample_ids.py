"""Sample IDs (IIDs): joins, duplicates, and the form of an ID for messages, which must not contain IDs."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from contigwas.runtime.errors import UserError


def shape(ids: Iterable[str]) -> str:
    """Return the most common form of the IDs, without an ID: `7 digits`, `HG and 5 digits`, `no ID at all`.

    >>> shape(["1000014", "2000025"])
    '7 digits'
    >>> shape(["HG00096"])
    'HG and 5 digits'
    """
    counts = Counter(_shape(str(one)) for one in ids)
    return counts.most_common(1)[0][0] if counts else "no ID at all"


def _shape(one: str) -> str:
    """Return the form of one ID."""
    parts = []
    pieces = re.findall(r"\d+|[^\d]+", one)
    for piece in pieces:
        if piece.isdigit():
            parts.append(f"{len(piece)} digits" if len(piece) > 1 else "1 digit")
        else:
            # a short prefix before digits is that of a study, but letters alone may be a sample ID
            parts.append(piece if len(piece) <= 4 and len(pieces) > 1 else f"{len(piece)} characters")
    return " and ".join(parts) if parts else "empty"


def require_unique(ids: Sequence[str], path: object) -> None:
    """Raise UserError if an IID is duplicated in `path`."""
    ids = pd.Index(ids)
    duplicates = ids[ids.duplicated()]
    n_duplicates = int(duplicates.nunique())
    if n_duplicates:
        raise UserError(
            f"{path}: {n_duplicates} individual IDs appear more than once (of the shape {shape(duplicates)}). "
            "Keep one row per sample"
        )


def rows_of(wanted: Sequence[str], have: Sequence[str]) -> np.ndarray:
    """Return the position of each wanted IID in `have`, -1 if absent: int64 (wanted,)."""
    return pd.Index(have).get_indexer(pd.Index(wanted))


def require_overlap(left: Sequence[str], right: Sequence[str], left_name: str, right_name: str) -> None:
    """Raise UserError if two sets of samples have no IID in common, with their counts and the form of the IDs."""
    if not pd.Index(left).intersection(pd.Index(right)).size:
        raise UserError(
            f"no sample is in both {left_name} ({len(left)} samples, IDs of {shape(left)}) and {right_name} "
            f"({len(right)} samples, IDs of {shape(right)}): IIDs must be written the same way in both"
        )
