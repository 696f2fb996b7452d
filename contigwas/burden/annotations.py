"""Read variant annotations; the format is detected from the content of the file."""

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
    """Read `variant` (str), `gene`, `category` (categorical), and for VEP files `place` (chrom:pos:ref:alt).

    The file is a REGENIE annotation file, or a table or VCF of VEP. The settings `vep` define how VEP output is reduced
    to categories. Raises UserError as the readers of these formats do.
    """
    first = next((line for line in lines(path, "burden.annotations") if line), "")
    if first.startswith("##fileformat=VCF"):
        return read_vep(path, vep, vcf=True)
    if first.startswith("## ENSEMBL VARIANT EFFECT PREDICTOR") or first.startswith("#Uploaded_variation"):
        return read_vep(path, vep, vcf=False)
    return read_regenie_annotations(path)


def check_masks(masks: Mapping[str, Sequence[str]], annotations: pd.DataFrame, path: PathLike) -> None:
    """Raise UserError when no variant is in any category of a mask; log categories without variants or masks."""
    counts = annotations["category"].value_counts(sort=False)
    for mask, categories in masks.items():
        missing = [category for category in categories if category not in counts.index]
        if len(missing) == len(categories):
            raise UserError(
                f"{path} has no variant of the mask {mask} ({', '.join(missing)}). Its categories are "
                f"{', '.join(map(str, counts.index[:12]))}. Correct burden.masks."
            )
        if missing:
            log.warning("mask %s: no variant is in the category %s", mask, ", ".join(missing))
    used = {category for categories in masks.values() for category in categories}
    unused = [f"{count} of {name}" for name, count in counts.items() if name not in used]
    if unused:
        log.info("%s: annotations of categories that are in no mask: %s", path, ", ".join(unused))
