"""Convert user-supplied tables of relatives and principal components to the files of this pipeline."""

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

ID1_COLUMNS, ID2_COLUMNS = ("id1", "iid1"), ("id2", "iid2")  # KING and UK Biobank; plink2


def external_kinship(path: PathLike, samples: PathLike, min_kinship: float, output: PathLike) -> None:
    """Write the pairs of kept samples with a kinship above `min_kinship`: `iid1 iid2 kinship`.

    `path` is KING's .kin0, the output of plink2 --make-king-table, or UK Biobank's relatedness file (`ID1 ID2 …
    Kinship`): columns are separated by white space and identified by their names. Pairs with samples that failed QC
    are counted and dropped. Raises UserError when a column is missing, a kinship is not a number or above 0.5, or no
    sample of the file passed QC.
    """
    table = read_kinship(path)
    one, other, kinship = table["one"], table["other"], table["kinship"].to_numpy()
    iids = read_passing_iids(samples)
    require_overlap(
        pd.concat([one, other]).unique(), iids, f"the relatives ({path})", f"the samples that passed QC ({samples})"
    )
    both_passing = (rows_of(one, iids) >= 0) & (rows_of(other, iids) >= 0) & (one != other).to_numpy()
    above = both_passing & (kinship > min_kinship)
    log.info("%d pairs in %s: %d between samples that passed QC, %d of these with a kinship above %g", len(table),
             Path(path).name, both_passing.sum(), above.sum(), min_kinship)  # fmt: skip
    pairs = {"iid1": one[above].to_numpy(), "iid2": other[above].to_numpy(), "kinship": kinship[above]}
    write_parquet(pd.DataFrame(pairs), output)


def external_pcs(path: PathLike, samples: PathLike, pcs: int, output: PathLike) -> None:
    """Write `iid PC1 … PCk` for the kept samples, k = `pcs`, from precomputed PCs; NaN for samples without PCs.

    `path` is a .parquet file or a text table, such as plink2's .eigenvec, with the columns IID and PC1, PC2, ….
    Raises UserError when a column is missing, a value is not a number, an IID is duplicated, or no sample of the file
    passed QC.
    """
    found = read_pcs(path, pcs)
    iids = read_passing_iids(samples)
    require_overlap(found.index, iids, f"the principal components ({path})", f"the samples that passed QC ({samples})")
    found = found.reindex(iids)
    log.info(
        "%d principal components for %d of the %d samples that passed QC",
        pcs,
        found.notna().all(axis=1).sum(),
        len(iids),
    )
    write_parquet(found.rename_axis("iid").reset_index(), output)


def read_kinship(path: PathLike) -> pd.DataFrame:
    """Read the pairs of a user-supplied table of relatives: one, other (str), kinship (float64).

    Raises UserError as `external_kinship` does.
    """
    table = _text(path, "genotypes.kinship")
    one, other = _column(table, path, ID1_COLUMNS), _column(table, path, ID2_COLUMNS)
    kinship = pd.to_numeric(_column(table, path, ("kinship",)), errors="coerce").to_numpy(np.float64)
    # the estimate for duplicates may exceed 0.5 by its sampling error
    wrong = np.isnan(kinship) | (kinship > 0.51)
    if wrong.any():
        raise UserError(
            f"{path}, line {wrong.argmax() + 2}: Kinship is not a kinship coefficient, a number of at most 0.5 "
            f"({wrong.sum()} such values in total). Supply KING estimates, not proportions of the genome shared."
        )
    return pd.DataFrame({"one": one, "other": other, "kinship": kinship})


def read_pcs(path: PathLike, pcs: int) -> pd.DataFrame:
    """Read PC1 … PCk of a user-supplied table, k = `pcs`, indexed by IID: float64.

    Raises UserError as `external_pcs` does.
    """
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
                f"{path}, line {wrong.argmax() + 2}: {name.upper()} is not a number ({wrong.sum()} such values in "
                "total). Fix the file."
            )
    return pd.DataFrame(values, index=pd.Index(iid))


def _table(path: PathLike) -> pd.DataFrame:
    """Read a .parquet or text table with column names in lower case."""
    path = require(path, "genotypes.pcs_file")
    if path.suffix != ".parquet":
        return _text(path, "genotypes.pcs_file")
    try:
        table = pd.read_parquet(path)
    except (OSError, pyarrow.lib.ArrowInvalid):
        raise UserError(f"{path} is not a Parquet file (genotypes.pcs_file). Write it again.") from None
    return table.rename(columns=str.lower)


def _text(path: PathLike, what: str) -> pd.DataFrame:
    """Read a table separated by white space as strings, with column names in lower case and without a leading `#`."""
    path = require(path, what)
    try:
        table = pd.read_csv(path, sep=r"\s+", dtype=str, keep_default_na=False, index_col=False, quoting=3)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not a table with a header ({reason}). Correct {what} in the config.") from None
    return table.rename(columns=lambda name: name.lstrip("#").lower())


def _column(table: pd.DataFrame, path: PathLike, names: tuple[str, ...]) -> pd.Series:
    """Return the first column of `names` that the table has. Raises UserError when it has none."""
    found = next((name for name in names if name in table.columns), None)
    if found is None:
        seen = ", ".join([str(name) for name in table.columns if not str(name)[:1].isdigit()][:8]) or "no names"
        raise UserError(f"{path} has no column {' or '.join(name.upper() for name in names)}. Its header has {seen}.")
    return table[found]
