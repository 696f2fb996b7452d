"""Relatives and components that somebody else computed, as the files of this pipeline."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.lib

from contigwas.genotypes.samples import read_passing_iids
from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap, require_unique, rows_of
from contigwas.tables.text import require

log = logging.getLogger(__name__)

ONE, OTHER = ("id1", "iid1"), ("id2", "iid2")  # KING and UK Biobank; plink2


def external_kinship(path: PathLike, samples: PathLike, min_kinship: float, output: PathLike) -> None:
    """Write the pairs of kept samples with a kinship above `min_kinship`: `iid1 iid2 kinship`.

    `path` is KING's .kin0, plink2's --make-king-table, or UK Biobank's file of relatives (`ID1 ID2 … Kinship`): white
    space between columns, which are known by their names. Pairs of samples that are not kept are counted. Raises
    UserError when a column is missing, a kinship is no number or above 0.5, or nobody of the file is among the samples.
    """
    table = read_kinship(path)
    one, other, kinship = table["one"], table["other"], table["kinship"].to_numpy()
    iids = read_passing_iids(samples)
    require_overlap(pd.concat([one, other]).unique(), iids, f"the relatives ({path})", f"the samples kept ({samples})")
    here = (rows_of(one, iids) >= 0) & (rows_of(other, iids) >= 0) & (one != other).to_numpy()
    above = here & (kinship > min_kinship)
    log.info("%d pairs in %s: %d of samples that are kept, %d of them with a kinship above %g", len(table),
             Path(path).name, here.sum(), above.sum(), min_kinship)  # fmt: skip
    pairs = {"iid1": one[above].to_numpy(), "iid2": other[above].to_numpy(), "kinship": kinship[above]}
    write_parquet(pd.DataFrame(pairs), output)


def external_pcs(path: PathLike, samples: PathLike, pcs: int, output: PathLike) -> None:
    """Write `iid PC1 … PCk` for the kept samples, k = `pcs`, from a table of components; NaN for those it lacks.

    `path` is a .parquet file or a text table, such as plink2's .eigenvec, with the columns IID and PC1, PC2, …. Raises
    UserError when a column is missing or no number, a sample is duplicated, or nobody of the file is among the samples.
    """
    found = read_pcs(path, pcs)
    iids = read_passing_iids(samples)
    require_overlap(found.index, iids, f"the components ({path})", f"the samples kept ({samples})")
    found = found.reindex(iids)
    log.info("%d components of %d of the %d samples kept", pcs, found.notna().all(axis=1).sum(), len(iids))
    write_parquet(found.rename_axis("iid").reset_index(), output)


def read_kinship(path: PathLike) -> pd.DataFrame:
    """The pairs of a user-supplied file of relatives: one, other (str), kinship (float64). UserError as `external_kinship`."""
    table = _text(path, "genotypes.kinship")
    one, other = _column(table, path, ONE), _column(table, path, OTHER)
    kinship = pd.to_numeric(_column(table, path, ("kinship",)), errors="coerce").to_numpy(np.float64)
    # a duplicate's estimate may exceed 0.5 by its error
    wrong = np.isnan(kinship) | (kinship > 0.51)
    if wrong.any():
        raise UserError(
            f"{path}: {wrong.sum()} values of Kinship are no kinship coefficients, which are at most 0.5 (the first is "
            f"in line {wrong.argmax() + 2}): supply KING's estimates, not proportions of genome shared"
        )
    return pd.DataFrame({"one": one, "other": other, "kinship": kinship})


def read_pcs(path: PathLike, pcs: int) -> pd.DataFrame:
    """PC1 … PCk of a user-supplied table of components, k = `pcs`, indexed by IID. UserError as `external_pcs`."""
    table = _table(path)
    names = [f"pc{number + 1}" for number in range(pcs)]
    iid = _column(table, path, ("iid",)).astype(str)
    require_unique(iid, path)
    values = {}
    for name in names:
        text = _column(table, path, (name,))
        values[name.upper()] = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
        wrong = (
            np.isnan(values[name.upper()]) & ~text.astype(str).str.lower().isin(["", "na", "nan", "none"]).to_numpy()
        )
        if wrong.any():
            raise UserError(
                f"{path}: {wrong.sum()} values of {name.upper()} are no numbers (the first is in line "
                f"{wrong.argmax() + 2}): fix the file"
            )
    return pd.DataFrame(values, index=pd.Index(iid))


def _table(path: PathLike) -> pd.DataFrame:
    path = require(path, "genotypes.pcs_file")
    if path.suffix != ".parquet":
        return _text(path, "genotypes.pcs_file")
    try:
        table = pd.read_parquet(path)
    except (OSError, pyarrow.lib.ArrowInvalid):
        raise UserError(f"{path} is not a Parquet file (genotypes.pcs_file): write it again") from None
    return table.rename(columns=str.lower)


def _text(path: PathLike, what: str) -> pd.DataFrame:
    """A table that white space separates, as strings; names of columns in lower case, without the header's `#`."""
    path = require(path, what)
    try:
        table = pd.read_csv(path, sep=r"\s+", dtype=str, keep_default_na=False, index_col=False, quoting=3)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not a table with a header ({reason}): correct {what}") from None
    return table.rename(columns=lambda name: name.lstrip("#").lower())


def _column(table: pd.DataFrame, path: PathLike, names: tuple[str, ...]) -> pd.Series:
    """The first of the named columns that there is."""
    found = next((name for name in names if name in table.columns), None)
    if found is None:
        seen = ", ".join([str(name) for name in table.columns if not str(name)[:1].isdigit()][:8]) or "no name"
        raise UserError(f"{path} has no column {' or '.join(name.upper() for name in names)}: its header has {seen}")
    return table[found]
