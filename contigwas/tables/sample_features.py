"""Tables of samples x features as they are user-supplied, text, Parquet or .h5ad, read a block of samples at a time."""

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

VALUES = 2**24  # that are read at a time
IDS = ("iid", "fid")
NUMBERS = "iuf"


@dataclass(frozen=True)
class Asked:
    """What is asked of a table: key names it in the config; id is its column of IIDs, drop are columns that are left
    out; without, text and noun are for sentences: what to do without that column, or about text, and what a feature is.
    """

    key: str
    id: str = "IID"
    drop: Sequence[str] = ()
    without: str = "add it"
    text: str = "supply samples x numbers, empty or NA where missing"
    noun: str = "feature"


@dataclass(frozen=True)
class SampleTable(ABC):
    """A table of samples x features. Nothing of it is read before it is asked for.

    Whatever is wrong raises UserError: no column of IIDs, no feature, one twice or of text, a damaged file.
    """

    path: Path
    asked: Asked

    @cached_property
    @abstractmethod
    def names(self) -> list[str]:
        """All columns, the one of IIDs where it is one too."""

    @abstractmethod
    def _blocks(self, rows: int) -> Iterator[tuple[Sequence[int], np.ndarray, pd.DataFrame | np.ndarray]]:
        """The lines of some rows (none where the file has no lines), their IIDs, and the features' values."""

    @property
    def _has_ids(self) -> bool:
        return self.asked.id.lower() in (name.lower() for name in self.names)

    @cached_property
    def key(self) -> int:
        """The place of the column of IIDs."""
        if not self._has_ids:
            # a table that is turned round would show samples here
            seen = [name for name in self.names if not any(letter.isdigit() for letter in name)][:8]
            reported = f"its header names {', '.join(seen)}" if seen else "its header names no column"
            raise UserError(f"{self.path} has no column {self.asked.id}, {reported}: {self.asked.without}")
        if self.asked.id in self.names:
            return self.names.index(self.asked.id)
        return [name.lower() for name in self.names].index(self.asked.id.lower())

    @cached_property
    def columns(self) -> list[int]:
        """The places of the features."""
        absent = [name for name in self.asked.drop if name not in self.names]
        if absent:
            block = self.asked.key.partition(".")[0]
            raise UserError(f"{self.path} has no column {absent[0]}, which {block}.drop names: correct it")
        left_out = {*self.asked.drop}
        named = enumerate(self.names)
        found = [one for one, name in named if one != self.key and name.lower() not in IDS and name not in left_out]
        if not found:
            raise UserError(f"{self.path} has no {self.asked.noun} beside {self.asked.id}: {self.asked.text}")
        return found

    @cached_property
    def features(self) -> list[str]:
        """The features' names, each once."""
        names = pd.Index([self.names[one] for one in self.columns])
        twice = names[names.duplicated()]
        if len(twice):
            raise UserError(
                f"{self.path}: {twice.nunique()} {self.asked.noun}s appear more than once (the first is {twice[0]}): "
                "name each once"
            )
        return names.tolist()

    def blocks(self, rows: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """IIDs, object (rows,), and values, float32 (rows, features), NaN where missing, of `rows` samples at a time."""
        rows, seen = rows or max(1, VALUES // len(self.features)), 0
        for lines, iids, values in self._blocks(rows):
            seen += len(iids)
            if isinstance(values, pd.DataFrame):
                self._require_numbers(values, lines)
                values = values.to_numpy(np.float32)
            yield iids.astype(str).astype(object), values
        self._require_somebody(seen)

    def _require_numbers(self, values: pd.DataFrame, lines: Sequence[int]) -> None:
        text = np.flatnonzero([kind.kind not in NUMBERS for kind in values.dtypes])
        if not text.size:
            return
        where = ""
        first = values.iloc[:, text[0]]
        if lines:
            bad = first.notna() & pd.to_numeric(first.astype(str), errors="coerce").isna()
            where = f", in line {lines[int(bad.to_numpy().argmax())]}"
        raise UserError(
            f"{self.path} holds text in {text.size} columns (the first is {self.features[text[0]]}{where}): "
            f"{self.asked.text}"
        )

    def samples(self) -> pd.Index:
        """The IIDs of everyone, without the values; UserError where somebody is duplicated."""
        samples = pd.Index(self._samples()).astype(str).astype(object)
        self._require_somebody(len(samples))
        require_unique(samples, self.path)
        return samples

    def _require_somebody(self, samples: int) -> None:
        if not samples:
            raise UserError(f"{self.path} names nobody: write one row a sample ({self.asked.key})")

    @abstractmethod
    def _samples(self) -> np.ndarray:
        """The column of IIDs."""

    def read_all(self) -> tuple[pd.Index, np.ndarray]:
        """IIDs and values, float32 (samples, features), of everyone; UserError where a sample is duplicated."""
        iids, values = zip(*self.blocks(), strict=True)
        samples = pd.Index(np.concatenate(iids))
        require_unique(samples, self.path)
        return samples, np.concatenate(values)

    def read(self, wanted: pd.Index, name: str) -> tuple[pd.Index, np.ndarray, int]:
        """IIDs and values, float32 (samples, features), of those samples of the table who are `wanted`, in its order, and
        how many samples it has. The values take 4 bytes each, and there is one block of them beside.

        Raises UserError where a sample is duplicated, nobody is wanted (`name` says who was), or samples and values are
        not of the same rows.
        """
        self.require_upright(wanted)
        features, samples = len(self.features), self.samples()
        require_overlap(wanted, samples, name, f"{self.asked.key} ({self.path})")
        listed, samples = len(samples), samples[samples.isin(wanted)]
        values, filled, seen = np.empty((len(samples), features), np.float32), np.zeros(len(samples), bool), 0
        for iids, block in self.blocks():
            places = samples.get_indexer(iids)
            here = places >= 0
            values[places[here]] = block[here]
            filled[places[here]] = True
            seen += len(iids)
        if seen != listed or not filled.all():
            raise UserError(
                f"{self.path} names {listed} samples, but has values in {seen} rows, of {filled.sum()} of the "
                f"{len(samples)} samples that are wanted: write it again, with each IID as plain text"
            )
        return samples, values, listed

    def require_upright(self, wanted: pd.Index) -> None:
        """Raise UserError where columns are named like the samples that are `wanted`, and no row is.

        Before anything else is said: sentences about columns name them, and these would be samples.
        """
        turned = int(pd.Index(self.names).isin(wanted).sum())
        if turned and not (self._has_ids and pd.Index(self._samples()).astype(str).isin(wanted).any()):
            raise UserError(
                f"{self.path} looks transposed: {turned} of its columns are IIDs of the cohort, and none of its rows: "
                f"{self.asked.key} must have one row a sample and one column a {self.asked.noun}"
            )


class TextTable(SampleTable):
    """A text table, separated by tabs, commas or white space."""

    @cached_property
    def names(self) -> list[str]:
        return read_header(self.path, self.asked.key)

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
        return open_parquet(self.path, self.asked.key)

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
    """An .h5ad: X, with the IIDs in obs_names, or in a column of obs where `asked.id` names one."""

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
            if self.asked.id == Asked.id:
                names = strings(index_of(obs))
            elif self.asked.id in obs:
                stored = obs[self.asked.id]
                plain = isinstance(stored, h5py.Dataset) and stored.dtype.kind in NUMBERS
                names = stored[:].astype(object) if plain else strings(stored)
            else:
                raise UserError(f"{self.path} has no column {self.asked.id} in obs: {self.asked.without}")
        if pd.isna(names).any():
            raise UserError(
                f"{self.path} has {pd.isna(names).sum()} samples without a name: write an IID for each in obs"
            )
        return names

    @contextmanager
    def _file(self) -> Iterator[h5py.File]:
        try:
            with h5py.File(self.path) as file:
                yield file
        except (OSError, LookupError, AttributeError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.path} is not an AnnData .h5ad file ({type(error).__name__}): write it with anndata"
            ) from None

    def _blocks(self, rows: int) -> Iterator[tuple[tuple, np.ndarray, np.ndarray]]:
        iids = self._samples()
        with self._file() as file:
            for start, values in matrix_blocks(file["X"], rows, self.path):
                yield (), iids[start : start + len(values)], values[:, self.columns].astype(np.float32)


def matrix_blocks(stored: h5py.Dataset | h5py.Group, rows: int, path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """The first row and the values of blocks of an AnnData's X, dense or sparse. Raises UserError for no numbers.

    A matrix that is sparse by columns is read whole.
    """
    dense = isinstance(stored, h5py.Dataset)
    if (stored if dense else stored["data"]).dtype.kind not in NUMBERS:
        raise UserError(f"{path} has no numbers in X: store the samples x features there")
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
    """The names of obs or var as they are stored."""
    return group[group.attrs.get("_index", "_index")]


def strings(stored: h5py.Dataset | h5py.Group) -> np.ndarray:
    """What anndata stores of strings: object (samples,), None where one is missing. A group: categories, or nullable."""
    if isinstance(stored, h5py.Dataset):
        return stored.asstr()[:]
    if "codes" in stored:
        codes = stored["codes"][:]
        return np.where(codes < 0, None, stored["categories"].asstr()[:][codes])
    return np.where(stored["mask"][:], None, stored["values"].asstr()[:])


def open_parquet(path: PathLike, key: str) -> pq.ParquetFile:
    """The Parquet file at `path`, which `key` names in the config; UserError where it is none."""
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid):
        raise UserError(f"{path} is not a Parquet file ({key}): write it again") from None


def open_samples_table(path: PathLike, asked: Asked) -> SampleTable:
    """The table at `path`: the suffix says .parquet or .h5ad, anything else is text."""
    path = require(path, asked.key)
    kind = {".parquet": ParquetTable, ".h5ad": AnnDataTable}.get(path.suffix, TextTable)
    return kind(path, asked)
