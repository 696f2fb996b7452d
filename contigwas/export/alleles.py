"""Which variants a format can name: their alleles, position and identifier."""

import numpy as np
import pandas as pd

NO_ID = [".", "", "0", "NA"]


def _alleles(frame: pd.DataFrame, pattern: str) -> np.ndarray:
    both = [frame[name].str.fullmatch(pattern, case=False) for name in ("effect_allele", "other_allele")]
    return (both[0] & both[1]).to_numpy(bool)


def not_nucleotides(frame: pd.DataFrame) -> np.ndarray:
    """Where an allele is anything but letters A, C, G and T (`<DEL>`, `I`, `*`, `0`), bool (rows,)."""
    return ~_alleles(frame, "[ACGT]+")


def not_snp(frame: pd.DataFrame) -> np.ndarray:
    """Where an allele is not one letter of A, C, G and T, bool (rows,)."""
    return ~_alleles(frame, "[ACGT]")


def no_position(frame: pd.DataFrame) -> np.ndarray:
    """Where the position is not at least 1, bool (rows,)."""
    return frame["pos"].to_numpy() < 1


def no_id(frame: pd.DataFrame) -> np.ndarray:
    """Where the variant has no identifier, bool (rows,)."""
    return frame["id"].isin(NO_ID).to_numpy()
