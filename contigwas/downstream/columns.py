"""Columns of a table of samples that somebody supplies, by name whatever the case, and their values as texts."""

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
    """Some `columns` of a text table or .parquet as they stand there, named as asked for, indexed by the column `key`.

    Raises UserError where the file cannot be read, lacks a column (`remedy` says what to do beside adding it), or has a
    row without a sample or a sample twice.
    """
    asked = {name.lower(): name for name in (key, *columns)}
    if Path(path).suffix == ".parquet":
        table = _read_parquet(require(path, what), list(asked), what, remedy)
    else:
        table = read_table(path, list(asked), what)
    iids = pd.Index([text(one) or "" for one in table[key.lower()]], dtype=object)
    if (iids == "").any():
        raise UserError(f"{path} has {(iids == '').sum()} rows without a sample: fill its column {key}")
    require_unique(iids, path)
    found = {name: table[name.lower()].to_numpy(dtype=object) for name in columns}
    return pd.DataFrame(found, index=iids, columns=list(columns))


def _read_parquet(path: Path, columns: Sequence[str], what: str, remedy: str) -> pd.DataFrame:
    """The columns, whose names are in lower case whatever they are in the file."""
    with open_parquet(path, what) as file:
        names = [name for name in file.schema_arrow.names if name.lower() in columns]
        require_distinct(path, names)
        lacking = {*columns} - {name.lower() for name in names}
        if lacking:
            raise UserError(f"{path} has no column {' or '.join(sorted(lacking))}: {remedy} in the config, or add it")
        # without pandas' metadata an index that was named iid is a column
        table = file.read(columns=names).replace_schema_metadata().to_pandas()
    return table.rename(columns=str.lower)


def text(value: object) -> str | None:
    """A value as text: a number that is whole without a point, None where it is missing."""
    if pd.isna(value) or str(value).strip() in MISSING_VALUES:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
