"""REGENIE's files: annotations, set list, masks, and frequencies of the alternate allele."""

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
    """REGENIE's annotation file (no header, white space): `variant` (str), `gene`, `category` (categorical).

    Of the form with domains (variant gene domain category) the masks over all domains are made. Raises UserError when
    the file is missing, empty, damaged or not regular.
    """
    widths = {3: ["variant", "gene", "category"], 4: ["variant", "gene", "domain", "category"]}
    table = read_columns(path, widths, "burden.annotations", ["gene", "domain", "category"])
    if "domain" in table:
        log.info("%s has domains of genes: masks are made over all domains of a gene", path)
    return table[["variant", "gene", "category"]]


def read_sets(path: PathLike) -> pd.DataFrame:
    """REGENIE's set list (no header, white space): `gene`, `chrom`, `pos` (int64), `variants` (joined by commas).

    Raises UserError when the file is missing, empty, not four columns wide, or names a gene twice.
    """
    table = read_columns(path, {4: ["gene", "chrom", "pos", "variants"]}, "burden.sets")
    pos = pd.to_numeric(table["pos"], errors="coerce")
    if pos.isna().any():
        raise UserError(
            f"{path}, line {pos.isna().to_numpy().argmax() + 1}: column 3 is not a position: a set list has the "
            "columns gene, chromosome, position, variants joined by commas"
        )
    twice = table["gene"].duplicated()
    if twice.any():
        raise UserError(
            f"{path} has {twice.sum()} genes on a second line (the first is {table.loc[twice, 'gene'].iat[0]}): give "
            "each gene one line"
        )
    names = {name: chromosome(name) for name in table["chrom"].unique()}
    return table.assign(chrom=table["chrom"].map(names), pos=pos.astype("int64"))


def read_masks(masks: Mapping[str, list[str]] | PathLike) -> dict[str, list[str]]:
    """The categories of every mask: of the config itself, or of REGENIE's mask file (name cat1,cat2).

    Raises UserError when the file is missing, empty or damaged, has a mask without categories or one name twice.
    """
    if isinstance(masks, Mapping):
        return {str(name): list(categories) for name, categories in masks.items()}
    found: dict[str, list[str]] = {}
    for number, line in enumerate(lines(masks, "burden.masks"), 1):
        name, *categories = [one for one in re.split(r"[\s,]+", line) if one] or [""]
        if not name:
            continue
        if not categories:
            raise UserError(
                f"{masks}, line {number}: the mask has no category: a mask file has a name and categories joined by "
                "commas on each line (damaging LoF,missense)"
            )
        if name in found:
            raise UserError(f"{masks}, line {number}: the mask {name} stands on a second line: give it one")
        found[name] = categories
    if not found:
        raise UserError(f"{masks} is empty: a name and categories joined by commas are expected on each line")
    return found


def read_aaf(path: PathLike) -> pd.DataFrame:
    """REGENIE's file of alternate-allele frequencies (no header, white space), by variant: `aaf` (float64).

    `singleton` (bool) is there where the file has its third column; chromosome and position may follow and are not
    read. Raises UserError when the file is missing or not regular, names a variant twice, or has a frequency outside
    0 to 1 or a third column that is not 0 or 1.
    """
    widths = {2: ["variant", "aaf"], 3: ["variant", "aaf", "singleton"]}
    widths[5] = [*widths[3], "chrom", "pos"]
    table = read_columns(path, widths, "burden.aaf")
    aaf = pd.to_numeric(table["aaf"], errors="coerce")
    wrong = ~aaf.between(0, 1).to_numpy()
    if wrong.any():
        line = int(wrong.argmax())
        raise UserError(
            f"{path}, line {line + 1}: column 2 is {table['aaf'].iat[line]}, not a frequency from 0 to 1: give the "
            "frequency of the alternate allele"
        )
    twice = table["variant"].duplicated()
    if twice.any():
        raise UserError(
            f"{path} has {twice.sum()} variants on a second line (the first is "
            f"{table.loc[twice, 'variant'].iat[0]}): give each variant one frequency"
        )
    found = pd.DataFrame({"aaf": aaf.to_numpy(np.float64)}, index=pd.Index(table["variant"]))
    if "singleton" in table:
        odd = ~table["singleton"].isin(["0", "1"]).to_numpy()
        if odd.any():
            raise UserError(
                f"{path}, line {odd.argmax() + 1}: column 3 is neither 0 nor 1: it says whether the variant is a "
                "singleton"
            )
        found["singleton"] = (table["singleton"] == "1").to_numpy()
    return found
