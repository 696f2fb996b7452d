"""The sex of the tested samples: from the genotypes, else from a covariate."""

import logging
import re

import numpy as np
import pandas as pd

log = logging.getLogger(__name__)
MALE, FEMALE = 1, 2
CODED = re.compile(r"(?:factor\()?sex\)?(?:=(.+))?", re.IGNORECASE)
LEVELS = {"m": MALE, "male": MALE, "1": MALE, "f": FEMALE, "female": FEMALE, "2": FEMALE, "0": FEMALE}


def sexes(genotyped: np.ndarray, covariates: pd.DataFrame) -> np.ndarray:
    """1 male, 2 female, 0 unknown of each of the tested samples, int64 (samples,).

    `genotyped` (samples,) is the sex in the genotypes' table of samples; where it is known of nobody, a covariate sex
    tells: 1 is male, and 0 or 2 female (the codes of PLINK and of UK Biobank), or an indicator of M, F, male or female.
    All 0, with a warning, where neither tells.
    """
    if np.isin(genotyped, (MALE, FEMALE)).any():
        known = np.where(np.isin(genotyped, (MALE, FEMALE)), genotyped, 0).astype(np.int64)
        log.info("sex by the genotypes: %d males, %d females, %d unknown", *_counts(known))
        return known
    for name in covariates.columns:
        named = CODED.fullmatch(name)
        if named:
            known = _decoded(covariates[name].to_numpy(), named[1])
            if known is not None:
                log.info("sex by the covariate %s: %d males, %d females, %d unknown", name, *_counts(known))
                return known
    log.warning("nobody's sex is known: the genotypes name none, and no covariate sex is coded 1 and 2 or 0")
    return np.zeros(len(genotyped), np.int64)


def _decoded(values: np.ndarray, level: str | None) -> np.ndarray | None:
    """Sex from a covariate's numbers, or from the indicator of one of two levels; None where they say nothing."""
    if level is not None:
        one = LEVELS.get(level.lower().removesuffix(".0"))
        return None if one is None else np.where(values == 1, one, MALE + FEMALE - one)
    codes = set(np.unique(values))
    return np.where(values == 1, MALE, FEMALE) if codes in ({0.0, 1.0}, {1.0, 2.0}) else None


def _counts(known: np.ndarray) -> tuple[int, int, int]:
    return tuple(int((known == code).sum()) for code in (MALE, FEMALE, 0))
