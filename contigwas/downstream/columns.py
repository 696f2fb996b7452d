"""Read columns of a user-supplied table of samples. Column names are not case-sensitive."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_features import open_parquet
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import MISSING_VALUES, read_table, require, require_distinct


def read_columns(
    path: PathLike, columns: Sequence[str], key: str = "iid", what: str = "labels", remedy: str = "correct labels"
) -> pd.DataFrame:
    """Return `columns` of a text table or .parquet file with unchanged values, indexed by the column `key`.

    The result has the names as given in `columns`. `what` names the table in messages; `remedy` is the advice for a
    missing column. Raises UserError if the file cannot be read, a column is missing, a row has no sample ID, or a
    sample ID is duplicated.
    """
    requested = {name.lower(): name for name in (key, *columns)}
    if Path(path).suffix == ".parquet":
        table = _read_parquet(require(path, what), list(requested), what, remedy)
    else:
        table = read_table(path, list(requested), what)
    iids = pd.Index([text(one) or "" for one in table[key.lower()]], dtype=object)
    if (iids == "").any():
        raise UserError(f"{path}: {(iids == '').sum()} rows have no sample ID. Fill the column {key}.")
    require_unique(iids, path)
    values = {name: table[name.lower()].to_numpy(dtype=object) for name in columns}
    return pd.DataFrame(values, index=iids, columns=list(columns))


def _read_parquet(path: Path, columns: Sequence[str], what: str, remedy: str) -> pd.DataFrame:
    """Return the columns, with names in lower case."""
    with open_parquet(path, what) as file:
        names = [name for name in file.schema_arrow.names if name.lower() in columns]
        require_distinct(path, names)
        missing = {*columns} - {name.lower() for name in names}
        if missing:
            raise UserError(f"{path} has no column {' or '.join(sorted(missing))}: {remedy} in the config, or add it")
        # without the pandas metadata, a stored index named iid is read as a column
        table = file.read(columns=names).replace_schema_metadata().to_pandas()
    return table.rename(columns=str.lower)


def text(value: object) -> str | None:
    """Return a value as text, an integral number without a decimal point; None if it is missing."""
    if pd.isna(value) or str(value).strip() in MISSING_VALUES:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
