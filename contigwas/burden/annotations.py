"""Annotations of variants, whatever the kind of the file, which its content tells."""

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from contigwas.burden.regenie import read_regenie_annotations
from contigwas.burden.text import lines
from contigwas.burden.vep import read_vep
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)


def read_annotations(path: PathLike, vep: Mapping[str, object]) -> pd.DataFrame:
    """`variant` (str), `gene`, `category` (categorical), and of VEP's files `place` (chrom:pos:ref:alt).

    The file is REGENIE's, or VEP's table or VCF, which `vep` says how to reduce to categories. Raises UserError as the
    readers of the kinds do.
    """
    first = next((line for line in lines(path, "burden.annotations") if line), "")
    if first.startswith("##fileformat=VCF"):
        return read_vep(path, vep, vcf=True)
    if first.startswith("## ENSEMBL VARIANT EFFECT PREDICTOR") or first.startswith("#Uploaded_variation"):
        return read_vep(path, vep, vcf=False)
    return read_regenie_annotations(path)


def check_masks(masks: Mapping[str, Sequence[str]], annotations: pd.DataFrame, path: PathLike) -> None:
    """Raise UserError when no variant has any category of a mask; tell of categories that only one side knows."""
    counts = annotations["category"].value_counts(sort=False)
    for mask, categories in masks.items():
        absent = [one for one in categories if one not in counts.index]
        if len(absent) == len(categories):
            raise UserError(
                f"{path} has no variant of the mask {mask} ({', '.join(absent)}): its categories are "
                f"{', '.join(map(str, counts.index[:12]))}; correct burden.masks"
            )
        if absent:
            log.warning("mask %s: no variant has the category %s", mask, ", ".join(absent))
    used = {one for categories in masks.values() for one in categories}
    unused = [f"{count} of {name}" for name, count in counts.items() if name not in used]
    if unused:
        log.info("%s: annotations of a category that no mask has: %s", path, ", ".join(unused))
