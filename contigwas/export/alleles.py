"""Variants that a format cannot express, by their alleles, position and identifier."""

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from contigwas.export.text import text

NO_ID = [".", "", "0", "NA"]


def _both_match(frame: pd.DataFrame, pattern: str) -> np.ndarray:
    """Return where both alleles match `pattern`, bool (rows,)."""
    both = [
        pc.match_substring_regex(text(frame[name]), f"^{pattern}$", ignore_case=True)
        for name in ("effect_allele", "other_allele")
    ]
    return pc.fill_null(pc.and_(*both), False).to_numpy(zero_copy_only=False)


def not_nucleotides(frame: pd.DataFrame) -> np.ndarray:
    """Return where an allele has characters other than A, C, G and T (`<DEL>`, `I`, `*`, `0`), bool (rows,)."""
    return ~_both_match(frame, "[ACGT]+")


def not_snp(frame: pd.DataFrame) -> np.ndarray:
    """Return where an allele is not one of A, C, G and T, bool (rows,)."""
    return ~_both_match(frame, "[ACGT]")


def no_position(frame: pd.DataFrame) -> np.ndarray:
    """Return where the position is below 1, bool (rows,)."""
    return frame["pos"].to_numpy() < 1


def no_id(frame: pd.DataFrame) -> np.ndarray:
    """Return where the variant has no identifier, bool (rows,)."""
    return frame["id"].isin(NO_ID).to_numpy()
