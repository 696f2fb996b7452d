"""The GWAS table of a chromosome, written as it grows."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contigwas.files import PathLike, replacing

ROW_GROUP = 16_384  # variants
VARIANT = {
    "chrom": pa.string(),
    "pos": pa.int32(),
    "id": pa.string(),
    "effect_allele": pa.string(),
    "other_allele": pa.string(),
    "eaf": pa.float32(),
    "n": pa.int32(),
    "flag": pa.string(),
}
OMNIBUS = ("minp", "manova", "acat")


def columns_of(features: Sequence[str], partial: Sequence[str], tests: Sequence[str]) -> dict[str, pa.DataType]:
    """Names and types of the columns: of the variant, of every feature, of the tests over features.

    `partial` are the features that miss people: they have their own `n_<feature>`.
    """
    columns = dict(VARIANT)
    for name in features:
        columns |= {f"{kind}_{name}": pa.float32() for kind in ("beta", "se", "log10p")}
        if name in partial:
            columns[f"n_{name}"] = pa.int32()
    return columns | {f"log10p_{test}": pa.float32() for test in OMNIBUS if test in tests}


class Table:
    """A Parquet file that takes blocks of variants and writes them in row groups of at least 16,384."""

    def __init__(self, path: PathLike, columns: Mapping[str, pa.DataType]) -> None:
        """Open `path` for `columns`; texts that repeat are stored as dictionaries, numbers are not."""
        self.schema = pa.schema(list(columns.items()))
        repeated = [name for name in ("chrom", "effect_allele", "other_allele", "flag") if name in columns]
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd", use_dictionary=repeated)
        self.waiting: list[pa.Table] = []
        self.rows = 0

    def append(self, block: Mapping[str, np.ndarray]) -> None:
        """Add the rows of a block: one array a column."""
        arrays = [
            pa.array(block[name], type=kind) for name, kind in zip(self.schema.names, self.schema.types, strict=True)
        ]
        self.waiting.append(pa.Table.from_arrays(arrays, schema=self.schema))
        self.rows += len(arrays[0])
        if sum(len(one) for one in self.waiting) >= 2 * ROW_GROUP:
            together = pa.concat_tables(self.waiting)
            self._write(together.slice(0, ROW_GROUP))
            self.waiting = [together.slice(ROW_GROUP)]

    def _write(self, table: pa.Table) -> None:
        self.writer.write_table(table.combine_chunks(), row_group_size=len(table))

    def close(self, notes: Mapping[str, object]) -> None:
        """Write what waits, and `notes` as JSON under the key `contigwas` of the file's metadata."""
        rest = pa.concat_tables(self.waiting) if self.waiting else self.schema.empty_table()
        if len(rest) or not self.rows:
            self._write(rest) if len(rest) else self.writer.write_table(rest)
        self.writer.add_key_value_metadata({"contigwas": json.dumps(notes)})


@contextmanager
def gwas_table(path: PathLike, columns: Mapping[str, pa.DataType], notes: dict) -> Iterator[Table]:
    """A `Table` that is complete or absent; `notes` may be filled until the end of the block."""
    with replacing(path) as temporary:
        table = Table(temporary, columns)
        with table.writer:
            yield table
            table.close(notes)
