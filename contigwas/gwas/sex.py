"""Sex of the tested samples, from the genotypes or from a covariate."""

import logging
import re

import numpy as np
import pandas as pd

log = logging.getLogger(__name__)
MALE, FEMALE = 1, 2
CODED = re.compile(r"(?:factor\()?sex\)?(?:=(.+))?", re.IGNORECASE)
LEVELS = {"m": MALE, "male": MALE, "1": MALE, "f": FEMALE, "female": FEMALE, "2": FEMALE, "0": FEMALE}


def sexes(genotyped: np.ndarray, covariates: pd.DataFrame) -> np.ndarray:
    """Return the sex of the tested samples: 1 male, 2 female, 0 unknown, int64 (samples,).

    `genotyped` (samples,) is the sex in the sample table of the genotypes. If it is unknown for all samples, a
    covariate named sex is used: 1 is male, 0 or 2 is female (the codes of PLINK and UK Biobank), or it is an indicator
    of M, F, male or female. If there is no such covariate either, all are 0, and a warning is logged.
    """
    if np.isin(genotyped, (MALE, FEMALE)).any():
        sex = np.where(np.isin(genotyped, (MALE, FEMALE)), genotyped, 0).astype(np.int64)
        log.info("sex from the genotypes: %d males, %d females, %d unknown", *_counts(sex))
        return sex
    for name in covariates.columns:
        match = CODED.fullmatch(name)
        if match:
            sex = _decoded(covariates[name].to_numpy(), match[1])
            if sex is not None:
                log.info("sex from the covariate %s: %d males, %d females, %d unknown", name, *_counts(sex))
                return sex
    log.warning(
        "the sex of all samples is unknown: the genotypes do not have it, and no covariate sex is coded 1 and 2 or 0"
    )
    return np.zeros(len(genotyped), np.int64)


def _decoded(values: np.ndarray, level: str | None) -> np.ndarray | None:
    """Return the sex from the codes of a covariate, or from an indicator of `level`; None if it cannot be decoded."""
    if level is not None:
        one = LEVELS.get(level.lower().removesuffix(".0"))
        return None if one is None else np.where(values == 1, one, MALE + FEMALE - one)
    codes = set(np.unique(values))
    return np.where(values == 1, MALE, FEMALE) if codes in ({0.0, 1.0}, {1.0, 2.0}) else None


def _counts(sex: np.ndarray) -> tuple[int, int, int]:
    """Return the numbers of males, females and unknown."""
    return tuple(int((sex == code).sum()) for code in (MALE, FEMALE, 0))
