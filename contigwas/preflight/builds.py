"""Check that the positions of variants are on the genome build that the config declares."""

import numpy as np
import pandas as pd

from contigwas.preflight.context import PreflightContext, Variants
from contigwas.preflight.reference_positions import CHROMOSOME_LENGTHS, REFERENCE_VARIANTS

BUILDS = tuple(CHROMOSOME_LENGTHS)


def check(context: PreflightContext, key: str, variants: Variants) -> None:
    """Add an error if the positions are on another build than genotypes.build."""
    declared = context.config["genotypes"]["build"]
    build, evidence = guess_build(variants.table)
    if build is None:
        context.findings.fact(
            key, f"build: cannot be determined from the positions ({evidence}); {declared} is assumed"
        )
    elif build == declared:
        context.findings.fact(key, f"build: {build} ({evidence})")
    else:
        context.findings.error(
            "genotypes.build",
            f"the positions of {key} are on {build} ({evidence}), but genotypes.build is {declared}: correct it, or "
            f"supply genotypes on {declared}",
        )


def guess_build(variants: pd.DataFrame) -> tuple[str | None, str]:
    """GRCh37, GRCh38 or None, and the evidence as text, from variants with the columns `chrom id pos`.

    If the reference rsIDs occur, they decide: each has a different position on each build. Otherwise positions decide
    that are beyond the end of a chromosome on only one build.
    """
    matching = _count_matching_rsids(variants)
    beyond = {build: int(_count_beyond_end(variants, build)) for build in BUILDS}
    evidence = (
        f"reference rsIDs at their position: {', '.join(f'{matching[one]} on {one}' for one in BUILDS)}; positions "
        f"beyond the end of a chromosome: {', '.join(f'{beyond[one]} on {one}' for one in BUILDS)}"
    )
    for one, other in (BUILDS, BUILDS[::-1]):
        if matching[one] > matching[other] or (
            matching[one] == matching[other] == 0 and beyond[one] == 0 < beyond[other]
        ):
            return one, evidence
    return None, evidence


def _count_matching_rsids(variants: pd.DataFrame) -> dict[str, int]:
    """The number of reference rsIDs at their position, by build."""
    reference = pd.DataFrame(REFERENCE_VARIANTS, columns=["id", "chrom", *BUILDS])
    found = variants[variants["id"].isin(reference["id"])].merge(reference, on=["id", "chrom"])
    return {build: int((found["pos"] == found[build]).sum()) for build in BUILDS}


def _count_beyond_end(variants: pd.DataFrame, build: str) -> int:
    ends = variants["chrom"].map(CHROMOSOME_LENGTHS[build]).fillna(np.inf)
    return (variants["pos"] > ends).sum()
