"""Read the files of REGENIE: annotations, set list, masks, and alternate-allele frequencies."""

import logging
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.burden.text import lines, read_columns
from contigwas.genotypes.chromosome_names import chromosome
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)


def read_regenie_annotations(path: PathLike) -> pd.DataFrame:
    """Read an annotation file (no header, white space): `variant` (str), `gene`, `category` (categorical).

    In the format with domains (variant gene domain category), masks cover all domains of a gene. Raises UserError when
    the file is missing, empty, corrupt or not regular.
    """
    widths = {3: ["variant", "gene", "category"], 4: ["variant", "gene", "domain", "category"]}
    table = read_columns(path, widths, "burden.annotations", ["gene", "domain", "category"])
    if "domain" in table:
        log.info("%s has domains: masks cover all domains of a gene", path)
    return table[["variant", "gene", "category"]]


def read_sets(path: PathLike) -> pd.DataFrame:
    """Read a set list (no header, white space): `gene`, `chrom`, `pos` (int64), `variants` (separated by commas).

    Raises UserError when the file is missing, is empty, does not have four columns, or has a duplicated gene.
    """
    table = read_columns(path, {4: ["gene", "chrom", "pos", "variants"]}, "burden.sets")
    pos = pd.to_numeric(table["pos"], errors="coerce")
    if pos.isna().any():
        raise UserError(
            f"{path}, line {pos.isna().to_numpy().argmax() + 1}: column 3 is not a position. A set list has the "
            "columns gene, chromosome, position, and variants separated by commas."
        )
    duplicated = table["gene"].duplicated()
    if duplicated.any():
        raise UserError(
            f"{path} has {duplicated.sum()} duplicated genes (the first is {table.loc[duplicated, 'gene'].iat[0]}). "
            "Write one line per gene."
        )
    names = {name: chromosome(name) for name in table["chrom"].unique()}
    return table.assign(chrom=table["chrom"].map(names), pos=pos.astype("int64"))


def read_masks(masks: Mapping[str, list[str]] | PathLike) -> dict[str, list[str]]:
    """Return the categories of every mask, from the config itself or from a REGENIE mask file (name cat1,cat2).

    Raises UserError when the file is missing, empty or corrupt, has a mask without categories, or a duplicated mask.
    """
    if isinstance(masks, Mapping):
        return {str(name): list(categories) for name, categories in masks.items()}
    found: dict[str, list[str]] = {}
    for number, line in enumerate(lines(masks, "burden.masks"), 1):
        name, *categories = [word for word in re.split(r"[\s,]+", line) if word] or [""]
        if not name:
            continue
        if not categories:
            raise UserError(
                f"{masks}, line {number}: the mask has no category. Each line of a mask file has a name and categories "
                "separated by commas (damaging LoF,missense)."
            )
        if name in found:
            raise UserError(f"{masks}, line {number}: the mask {name} is duplicated. Write one line per mask.")
        found[name] = categories
    if not found:
        raise UserError(f"{masks} is empty. A name and categories separated by commas are expected on each line.")
    return found


def read_aaf(path: PathLike) -> pd.DataFrame:
    """Read a file of alternate-allele frequencies (no header, white space), indexed by variant: `aaf` (float64).

    The column `singleton` (bool) is returned if the file has a third column. Chromosome and position may follow and are
    ignored. Raises UserError when the file is missing or not regular, has a duplicated variant, a frequency outside 0
    to 1, or a third column other than 0 or 1.
    """
    widths = {2: ["variant", "aaf"], 3: ["variant", "aaf", "singleton"]}
    widths[5] = [*widths[3], "chrom", "pos"]
    table = read_columns(path, widths, "burden.aaf")
    aaf = pd.to_numeric(table["aaf"], errors="coerce")
    wrong = ~aaf.between(0, 1).to_numpy()
    if wrong.any():
        line = int(wrong.argmax())
        raise UserError(
            f"{path}, line {line + 1}: column 2 is {table['aaf'].iat[line]}, not a frequency from 0 to 1. Supply the "
            "frequency of the alternate allele."
        )
    duplicated = table["variant"].duplicated()
    if duplicated.any():
        raise UserError(
            f"{path} has {duplicated.sum()} duplicated variants (the first is "
            f"{table.loc[duplicated, 'variant'].iat[0]}). Write one line per variant."
        )
    found = pd.DataFrame({"aaf": aaf.to_numpy(np.float64)}, index=pd.Index(table["variant"]))
    if "singleton" in table:
        invalid = ~table["singleton"].isin(["0", "1"]).to_numpy()
        if invalid.any():
            raise UserError(
                f"{path}, line {invalid.argmax() + 1}: column 3 is neither 0 nor 1. It marks whether the variant is a "
                "singleton."
            )
        found["singleton"] = (table["singleton"] == "1").to_numpy()
    return found
