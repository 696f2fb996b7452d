"""Which variants count for which gene and mask: REGENIE's annotation file and set list."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.genotypes.names import chromosome

log = logging.getLogger(__name__)


def read_annotations(path: PathLike) -> pd.DataFrame:
    """REGENIE's annotation file (no header, white space): `variant` (str), `gene`, `category` (categorical).

    Raises UserError when the file is missing, empty or not three columns wide.
    """
    table = _read(Path(path), ["variant", "gene", "category"], "burden.annotations")
    return table.astype({"gene": "category", "category": "category"})


def read_sets(path: PathLike) -> pd.DataFrame:
    """REGENIE's set list (no header, white space): `gene`, `chrom`, `pos` (int64), `variants` (joined by commas).

    Raises UserError when the file is missing, empty, not four columns wide, or names a gene twice.
    """
    table = _read(Path(path), ["gene", "chrom", "pos", "variants"], "burden.sets")
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


def _read(path: Path, columns: Sequence[str], what: str) -> pd.DataFrame:
    """White-space-separated strings without a header."""
    require(path, what)
    form = f"{len(columns)} columns a line ({', '.join(columns)}) are expected"
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, na_filter=False, quoting=3)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty: {form}") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not regular ({reason}): {form}") from None
    short = (table.iloc[:, -1] == "").to_numpy()
    if table.shape[1] != len(columns) or short.any():
        where = f"line {short.argmax() + 1} is short" if short.any() else f"line 1 has {table.shape[1]}"
        raise UserError(f"{path} is not regular ({where}): {form}")
    return table.set_axis(list(columns), axis=1)


def check_masks(masks: Mapping[str, Sequence[str]], annotations: pd.DataFrame, path: PathLike) -> None:
    """Raise UserError when no variant has any category of a mask; warn of single categories that nobody has."""
    have = annotations["category"].cat.categories
    for mask, categories in masks.items():
        absent = [one for one in categories if one not in have]
        if len(absent) == len(categories):
            raise UserError(
                f"{path} has no variant of the mask {mask} ({', '.join(absent)}): its categories are "
                f"{', '.join(map(str, have[:12]))}; correct burden.masks"
            )
        if absent:
            log.warning("mask %s: no variant has the category %s", mask, ", ".join(absent))


def members(sets: pd.DataFrame, annotations: pd.DataFrame, masks: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Every variant of every set, once for every mask: `gene`, `mask`, `variant`, `reason`.

    `reason` is empty where the variant qualifies, else `not annotated` (for this gene) or `category` (another one
    than the mask's). A variant that stands twice in a set counts once; one with several categories for a gene
    qualifies by any of them. Rows by gene and mask, in the order of `sets` and `masks`.
    """
    listed = sets[["gene"]].assign(variant=sets["variants"].str.split(",")).explode("variant", ignore_index=True)
    listed = listed[listed["variant"].fillna("") != ""].drop_duplicates(ignore_index=True)
    here = annotations[annotations["gene"].isin(sets["gene"])]
    keys = pd.MultiIndex.from_frame(listed)
    annotated = keys.isin(pd.MultiIndex.from_frame(here[["gene", "variant"]].astype(object)))
    parts = []
    for mask, categories in masks.items():
        of_mask = here.loc[here["category"].isin(categories), ["gene", "variant"]].astype(object)
        qualifies = keys.isin(pd.MultiIndex.from_frame(of_mask))
        reason = pd.Series("category", index=listed.index, dtype=object)
        reason[~annotated] = "not annotated"
        reason[qualifies] = ""
        parts.append(listed.assign(mask=mask, reason=reason))
    table = pd.concat(parts, ignore_index=True)
    gene = pd.Categorical(table["gene"], categories=sets["gene"])
    mask = pd.Categorical(table["mask"], categories=list(masks))
    return table.assign(gene=gene, mask=mask).sort_values(["gene", "mask"], kind="stable", ignore_index=True)
