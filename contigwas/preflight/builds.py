"""Which build of the human genome the positions of variants are on, against what the config says."""

import numpy as np
import pandas as pd

from contigwas.preflight.context import Study, Variants
from contigwas.preflight.reference_positions import KNOWN, LENGTHS

BUILDS = tuple(LENGTHS)


def check(study: Study, key: str, variants: Variants) -> None:
    """An error where positions are of another build than genotypes.build."""
    said = study.config["genotypes"]["build"]
    build, evidence = guess(variants.table)
    if build is None:
        study.findings.fact(key, f"build: cannot be reported from the positions ({evidence}); {said} is taken as given")
    elif build == said:
        study.findings.fact(key, f"build: {build} ({evidence})")
    else:
        study.findings.error(
            "genotypes.build",
            f"the positions of {key} are of {build} ({evidence}), but genotypes.build is {said}: correct it, or supply "
            f"genotypes of {said}",
        )


def guess(variants: pd.DataFrame) -> tuple[str | None, str]:
    """GRCh37, GRCh38 or None, and the evidence in words, from variants `chrom id pos`.

    Known rsIDs decide where there are any, each at its place on one build; else positions beyond the end that a
    chromosome has on one build alone.
    """
    at = _known(variants)
    beyond = {build: int(_beyond(variants, build)) for build in BUILDS}
    reported = (
        f"known rsIDs at their place: {', '.join(f'{at[one]} on {one}' for one in BUILDS)}; positions beyond the "
    )
    reported += f"end of a chromosome: {', '.join(f'{beyond[one]} on {one}' for one in BUILDS)}"
    for one, other in (BUILDS, BUILDS[::-1]):
        if at[one] > at[other] or (at[one] == at[other] == 0 and beyond[one] == 0 < beyond[other]):
            return one, reported
    return None, reported


def _known(variants: pd.DataFrame) -> dict[str, int]:
    known = pd.DataFrame(KNOWN, columns=["id", "chrom", *BUILDS])
    found = variants[variants["id"].isin(known["id"])].merge(known, on=["id", "chrom"])
    return {build: int((found["pos"] == found[build]).sum()) for build in BUILDS}


def _beyond(variants: pd.DataFrame, build: str) -> int:
    ends = variants["chrom"].map(LENGTHS[build]).fillna(np.inf)
    return (variants["pos"] > ends).sum()
