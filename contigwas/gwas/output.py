"""GWAS tables of a chromosome, written in row groups."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contigwas.runtime.atomic_files import PathLike, replacing, replacing_folder

ROW_GROUP = 16_384  # variants
FILE_FEATURES = 256  # features per file
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
REPEATED = ["chrom", "effect_allele", "other_allele", "flag"]  # columns with dictionary encoding
NUMBERS = ("beta", "se", "log10p")  # stored for every feature
OMNIBUS = ("minp", "manova", "acat")


def features_folder(path: PathLike) -> Path:
    """Return the folder of the features beyond the first 256 of `path`: chr1.features next to chr1.parquet."""
    return Path(path).with_suffix(".features")


class Table:
    """Writer of the Parquet files of a GWAS, in row groups of at least 16,384 variants.

    `path` holds the variants, the first 256 features and the tests over features. Each file in `features_folder(path)`
    holds 256 further features of the same variants in the same order.
    """

    def __init__(
        self,
        path: PathLike,
        folder: Path,
        features: Sequence[str],
        partial: Sequence[int],
        tests: Sequence[str],
        columns: Sequence[str] | None = None,
        min_log10p: float | None = None,
    ) -> None:
        """Open the files.

        `partial` holds the positions of the features with a column `n_<feature>`. `columns` are the columns of
        `NUMBERS` to store (None: all). Effects with -log10 p below `min_log10p` are stored as missing; their rows stay.
        """
        self.kinds = [kind for kind in NUMBERS if columns is None or kind in columns]
        self.features, self.partial, self.tests = list(features), list(partial), list(tests)
        self.min_log10p = min_log10p
        self.groups = [
            range(start, min(start + FILE_FEATURES, len(self.features)))
            for start in range(0, max(len(self.features), 1), FILE_FEATURES)
        ]
        paths = [Path(path)] + [folder / f"features_{one[0] + 1}-{one[-1] + 1}.parquet" for one in self.groups[1:]]
        self.schemas = [self._schema(number) for number in range(len(paths))]
        self.writers = [
            pq.ParquetWriter(one, schema, compression="zstd", use_dictionary=REPEATED)
            for one, schema in zip(paths, self.schemas, strict=True)
        ]
        self.rows = self._filled = self.emptied = 0
        self._variants: list[Mapping[str, np.ndarray]] = []
        self._buffers: tuple[np.ndarray, ...] = ()

    def _schema(self, number: int) -> pa.Schema:
        """Return the columns of file `number`."""
        columns = dict(VARIANT) if number == 0 else {name: VARIANT[name] for name in ("pos", "id")}
        for place in self.groups[number]:
            name = self.features[place]
            columns |= {f"{kind}_{name}": pa.float32() for kind in self.kinds}
            if place in self.partial:
                columns[f"n_{name}"] = pa.int32()
        if number == 0:
            columns |= {f"log10p_{test}": pa.float32() for test in self.tests}
        return pa.schema(list(columns.items()))

    def _grow(self, size: int) -> None:
        """Enlarge the buffers to `size` variants and keep the variants that are not written yet."""
        old, filled = self._buffers, slice(0, self._filled)
        self._buffers = (
            np.empty((len(NUMBERS), len(self.features), size), np.float32),
            np.empty((len(self.partial), size), np.int32),
            np.empty((len(self.tests), size), np.float32),
        )
        for new, waiting in zip(self._buffers, old, strict=False):
            new[..., filled] = waiting[..., filled]

    def append(
        self,
        variants: Mapping[str, np.ndarray],
        numbers: np.ndarray,
        partial_n: np.ndarray,
        omnibus: np.ndarray,
    ) -> None:
        """Add B variants.

        `variants` has the columns of `VARIANT`. `numbers` holds beta, se and log10p (3, features, B), `partial_n` the
        sample sizes of the partial features (partial features, B), and `omnibus` -log10 p (tests, B).
        """
        size = numbers.shape[2]
        if not self._buffers or self._filled + size > self._buffers[-1].shape[1]:
            self._grow(max(ROW_GROUP, self._filled) + size)
        inside = slice(self._filled, self._filled + size)
        self._variants.append(variants)
        for buffer, values in zip(self._buffers, (numbers, partial_n, omnibus), strict=True):
            buffer[..., inside] = values
        self._filled += size
        self.rows += size
        if self._filled >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the buffered variants as one row group."""
        columns = {name: pa.array(np.concatenate([one[name] for one in self._variants]), kind)
                   for name, kind in VARIANT.items()}  # fmt: skip
        filled = slice(0, self._filled)
        numbers, partial_n, omnibus = self._buffers
        for kind, buffer in zip(NUMBERS, numbers, strict=True):
            for place, name in enumerate(self.features):
                empty = None if self.min_log10p is None else ~(numbers[-1, place, filled] >= self.min_log10p)
                columns[f"{kind}_{name}"] = pa.array(buffer[place, filled], mask=empty)
        if self.min_log10p is not None:
            self.emptied += int((numbers[-1, :, filled] < self.min_log10p).sum())
        columns |= {f"n_{self.features[place]}": pa.array(row[filled])
                    for place, row in zip(self.partial, partial_n, strict=True)}  # fmt: skip
        columns |= {f"log10p_{test}": pa.array(row[filled])
                    for test, row in zip(self.tests, omnibus, strict=True)}  # fmt: skip
        for writer, schema in zip(self.writers, self.schemas, strict=True):
            writer.write_table(pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema))
        self._filled, self._variants = 0, []

    def finish(self, notes: Mapping[str, object]) -> None:
        """Write the buffered variants, and `notes` as JSON under the key `contigwas` of the file metadata."""
        if self._filled:
            self.flush()
        for writer, schema in zip(self.writers, self.schemas, strict=True):
            if not self.rows:
                writer.write_table(schema.empty_table())
            writer.add_key_value_metadata({"contigwas": json.dumps(notes)})


@contextmanager
def gwas_table(path: PathLike, notes: dict, **options) -> Iterator[Table]:
    """Yield a `Table` whose files are written completely or not at all; the block may still add to `notes`."""
    with replacing(path) as temporary, replacing_folder(features_folder(path)) as folder, ExitStack() as stack:
        table = Table(temporary, folder, **options)
        for writer in table.writers:
            stack.enter_context(writer)
        yield table
        table.finish(notes)
