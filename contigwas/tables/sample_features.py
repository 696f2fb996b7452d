"""User-supplied tables of samples x features (text, Parquet or .h5ad), read in blocks of samples."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap, require_unique
from contigwas.tables.text import read_blocks, read_column, read_header, require

VALUES = 2**24  # maximum number of values in a block
IDS = ("iid", "fid")
NUMBERS = "iuf"


@dataclass(frozen=True)
class TableOptions:
    """How to read a table.

    Attributes:
        key: config key of the table.
        id: name of the column with IIDs.
        drop: columns to leave out.
        no_id_hint: what to do if the column of IIDs is missing, for error messages.
        text_hint: what to do if a feature is text, for error messages.
        noun: what a feature is called in error messages.
    """

    key: str
    id: str = "IID"
    drop: Sequence[str] = ()
    no_id_hint: str = "Add it"
    text_hint: str = "Supply samples x numbers, empty or NA where missing"
    noun: str = "feature"


@dataclass(frozen=True)
class SampleTable(ABC):
    """A table of samples x features, which is read only when it is needed.

    Raises UserError for a missing column of IIDs, for a table without features, for a feature that is duplicated or
    text, and for a damaged file.
    """

    path: Path
    options: TableOptions

    @cached_property
    @abstractmethod
    def names(self) -> list[str]:
        """Names of all columns, including the column of IIDs if there is one."""

    @abstractmethod
    def _blocks(self, rows: int) -> Iterator[tuple[Sequence[int], np.ndarray, pd.DataFrame | np.ndarray]]:
        """Yield line numbers (empty if the file has no lines), IIDs and values of `rows` rows at a time."""

    @property
    def _has_ids(self) -> bool:
        return self.options.id.lower() in (name.lower() for name in self.names)

    @cached_property
    def key(self) -> int:
        """Position of the column of IIDs."""
        if not self._has_ids:
            # names with digits are left out, because in a transposed table they may be sample IDs
            seen = [name for name in self.names if not any(letter.isdigit() for letter in name)][:8]
            found_columns = f"the header has {', '.join(seen)}" if seen else "the header has no column name"
            raise UserError(f"{self.path}: no column {self.options.id}; {found_columns}. {self.options.no_id_hint}")
        if self.options.id in self.names:
            return self.names.index(self.options.id)
        return [name.lower() for name in self.names].index(self.options.id.lower())

    @cached_property
    def columns(self) -> list[int]:
        """Positions of the features."""
        missing = [name for name in self.options.drop if name not in self.names]
        if missing:
            block = self.options.key.partition(".")[0]
            raise UserError(f"{self.path}: no column {missing[0]}, which {block}.drop names. Correct {block}.drop")
        left_out = {*self.options.drop}
        named = enumerate(self.names)
        found = [one for one, name in named if one != self.key and name.lower() not in IDS and name not in left_out]
        if not found:
            raise UserError(f"{self.path}: no {self.options.noun} besides {self.options.id}. {self.options.text_hint}")
        return found

    @cached_property
    def features(self) -> list[str]:
        """Names of the features; raises UserError for a duplicate."""
        names = pd.Index([self.names[one] for one in self.columns])
        duplicates = names[names.duplicated()]
        if len(duplicates):
            raise UserError(
                f"{self.path}: {duplicates.nunique()} {self.options.noun}s are duplicated (first {duplicates[0]}). "
                "Rename or drop them"
            )
        return names.tolist()

    def blocks(self, rows: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield IIDs, object (rows,), and values, float32 (rows, features), NaN where missing, `rows` at a time."""
        rows, seen = rows or max(1, VALUES // len(self.features)), 0
        for lines, iids, values in self._blocks(rows):
            seen += len(iids)
            if isinstance(values, pd.DataFrame):
                self._require_numbers(values, lines)
                values = values.to_numpy(np.float32)
            yield iids.astype(str).astype(object), values
        self._require_samples(seen)

    def _require_numbers(self, values: pd.DataFrame, lines: Sequence[int]) -> None:
        """Raise UserError if a feature is text; `lines` are the line numbers of the rows."""
        text = np.flatnonzero([kind.kind not in NUMBERS for kind in values.dtypes])
        if not text.size:
            return
        where = ""
        first = values.iloc[:, text[0]]
        if lines:
            bad = first.notna() & pd.to_numeric(first.astype(str), errors="coerce").isna()
            where = f", line {lines[int(bad.to_numpy().argmax())]}"
        raise UserError(
            f"{self.path}: {text.size} columns hold text (the first is {self.features[text[0]]}{where}). "
            f"{self.options.text_hint}"
        )

    def samples(self) -> pd.Index:
        """Return all IIDs, without reading the values; raise UserError for duplicate samples."""
        samples = pd.Index(self._samples()).astype(str).astype(object)
        self._require_samples(len(samples))
        require_unique(samples, self.path)
        return samples

    def _require_samples(self, samples: int) -> None:
        """Raise UserError if the table has no samples."""
        if not samples:
            raise UserError(f"{self.path} ({self.options.key}): the table has no samples. Write one row per sample")

    @abstractmethod
    def _samples(self) -> np.ndarray:
        """Return the column of IIDs."""

    def read_all(self) -> tuple[pd.Index, np.ndarray]:
        """Return all IIDs and values, float32 (samples, features); raise UserError for duplicate samples."""
        iids, values = zip(*self.blocks(), strict=True)
        samples = pd.Index(np.concatenate(iids))
        require_unique(samples, self.path)
        return samples, np.concatenate(values)

    def read(self, wanted: pd.Index, name: str) -> tuple[pd.Index, np.ndarray, int]:
        """Return IIDs and values, float32 (samples, features), of the `wanted` samples, and the number of all samples.

        The samples are in the order of the table. The memory is that of the values and of one further block. Raises
        UserError for duplicate samples, if no sample is wanted (`name` describes the wanted ones), or if IIDs and
        values have different numbers of rows.
        """
        self.require_upright(wanted)
        features, samples = len(self.features), self.samples()
        require_overlap(wanted, samples, name, f"{self.options.key} ({self.path})")
        listed, samples = len(samples), samples[samples.isin(wanted)]
        values, filled, seen = np.empty((len(samples), features), np.float32), np.zeros(len(samples), bool), 0
        for iids, block in self.blocks():
            places = samples.get_indexer(iids)
            is_wanted = places >= 0
            values[places[is_wanted]] = block[is_wanted]
            filled[places[is_wanted]] = True
            seen += len(iids)
        if seen != listed or not filled.all():
            raise UserError(
                f"{self.path}: {listed} IIDs, but {seen} rows of values, with {filled.sum()} of the {len(samples)} "
                "wanted samples. Write the file again, with each IID as plain text"
            )
        return samples, values, listed

    def require_upright(self, wanted: pd.Index) -> None:
        """Raise UserError if columns, but no rows, are named like `wanted` samples.

        This check comes first, because other messages quote column names, which would be sample IDs here.
        """
        n_transposed = int(pd.Index(self.names).isin(wanted).sum())
        if n_transposed and not (self._has_ids and pd.Index(self._samples()).astype(str).isin(wanted).any()):
            raise UserError(
                f"{self.path} looks transposed: {n_transposed} of its columns are IIDs of the cohort, but no row is. "
                f"Write {self.options.key} with one row per sample and one column per {self.options.noun}"
            )


class TextTable(SampleTable):
    """A text table, separated by tabs, commas or white space."""

    @cached_property
    def names(self) -> list[str]:
        return read_header(self.path, self.options.key)

    def _blocks(self, rows: int) -> Iterator[tuple[list[int], np.ndarray, pd.DataFrame]]:
        return read_blocks(self.path, self.names, self.key, self.columns, rows)

    def _samples(self) -> np.ndarray:
        return read_column(self.path, self.names, self.key)


class ParquetTable(SampleTable):
    """A Parquet table."""

    @cached_property
    def names(self) -> list[str]:
        with self._file() as file:
            return [str(name) for name in file.schema_arrow.names]

    def _file(self) -> pq.ParquetFile:
        return open_parquet(self.path, self.options.key)

    def _blocks(self, rows: int) -> Iterator[tuple[tuple, np.ndarray, pd.DataFrame]]:
        with self._file() as file:
            chosen = [self.names[self.key], *self.features]
            for batch in file.iter_batches(rows, columns=chosen):
                part = pa.Table.from_batches([batch]).replace_schema_metadata().to_pandas()
                yield (), part[chosen[0]].to_numpy(dtype=object), part[self.features]

    def _samples(self) -> np.ndarray:
        with self._file() as file:
            name = self.names[self.key]
            return file.read(columns=[name]).column(name).to_pandas().to_numpy(dtype=object)


class AnnDataTable(SampleTable):
    """An .h5ad file: X, with the IIDs in obs_names, or in a column of obs if `options.id` names one."""

    _has_ids = True

    @cached_property
    def names(self) -> list[str]:
        with self._file() as file:
            return [str(name) for name in strings(index_of(file["var"]))]

    @cached_property
    def key(self) -> int:
        return -1

    def _samples(self) -> np.ndarray:
        with self._file() as file:
            obs = file["obs"]
            if self.options.id == TableOptions.id:
                names = strings(index_of(obs))
            elif self.options.id in obs:
                stored = obs[self.options.id]
                is_numeric = isinstance(stored, h5py.Dataset) and stored.dtype.kind in NUMBERS
                names = stored[:].astype(object) if is_numeric else strings(stored)
            else:
                raise UserError(f"{self.path}: no column {self.options.id} in obs. {self.options.no_id_hint}")
        if pd.isna(names).any():
            raise UserError(f"{self.path}: {pd.isna(names).sum()} samples have no IID. Write one for each in obs")
        return names

    @contextmanager
    def _file(self) -> Iterator[h5py.File]:
        try:
            with h5py.File(self.path) as file:
                yield file
        except (OSError, LookupError, AttributeError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.path} is not an AnnData .h5ad file ({type(error).__name__}). Write it with anndata"
            ) from None

    def _blocks(self, rows: int) -> Iterator[tuple[tuple, np.ndarray, np.ndarray]]:
        iids = self._samples()
        with self._file() as file:
            for start, values in matrix_blocks(file["X"], rows, self.path):
                yield (), iids[start : start + len(values)], values[:, self.columns].astype(np.float32)


def matrix_blocks(stored: h5py.Dataset | h5py.Group, rows: int, path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first row and the values (rows, columns) of blocks of X of an AnnData file, dense or sparse.

    A CSC matrix is read completely. Raises UserError if X is not numeric.
    """
    dense = isinstance(stored, h5py.Dataset)
    if (stored if dense else stored["data"]).dtype.kind not in NUMBERS:
        raise UserError(f"{path}: X is not numeric. Store the samples x features in X")
    shape = tuple(int(one) for one in (stored.shape if dense else stored.attrs["shape"]))
    by_columns = None
    if not dense and stored.attrs["encoding-type"] == "csc_matrix":
        parts = [stored[name][:] for name in ("data", "indices", "indptr")]
        by_columns = sparse.csc_matrix(tuple(parts), shape=shape).tocsr()
    for start in range(0, shape[0], rows):
        stop = min(start + rows, shape[0])
        if dense:
            yield start, stored[start:stop]
        elif by_columns is not None:
            yield start, by_columns[start:stop].toarray()
        else:
            ends = stored["indptr"][start : stop + 1]
            inside = slice(int(ends[0]), int(ends[-1]))
            parts = (stored["data"][inside], stored["indices"][inside], ends - ends[0])
            yield start, sparse.csr_matrix(parts, shape=(stop - start, shape[1])).toarray()


def index_of(group: h5py.Group) -> h5py.Dataset | h5py.Group:
    """Return the stored index of obs or var."""
    return group[group.attrs.get("_index", "_index")]


def strings(stored: h5py.Dataset | h5py.Group) -> np.ndarray:
    """Return stored strings, also categorical or nullable ones: object (samples,), None where missing."""
    if isinstance(stored, h5py.Dataset):
        return stored.asstr()[:]
    if "codes" in stored:
        codes = stored["codes"][:]
        return np.where(codes < 0, None, stored["categories"].asstr()[:][codes])
    return np.where(stored["mask"][:], None, stored["values"].asstr()[:])


def open_parquet(path: PathLike, key: str) -> pq.ParquetFile:
    """Open the Parquet file `path` of the config key `key`; raise UserError if it is not Parquet."""
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid):
        raise UserError(f"{path} is not a Parquet file ({key}). Write it again") from None


def open_samples_table(path: PathLike, options: TableOptions) -> SampleTable:
    """Return the table at `path`; the suffix is .parquet or .h5ad, any other is text."""
    path = require(path, options.key)
    kind = {".parquet": ParquetTable, ".h5ad": AnnDataTable}.get(path.suffix, TextTable)
    return kind(path, options)
