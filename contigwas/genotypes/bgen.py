"""Read .bgen files of layout 2 (BGEN 1.2 and 1.3, phased or not, any number of bits) with their .sample."""

import logging
import os
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path

import cbgen
import numpy as np
import pandas as pd

from contigwas.genotypes.bgen_block import Damaged, any_dosages, common_dosages, read_block
from contigwas.genotypes.bgen_index import genotype_offset, read_header, read_ids, read_index
from contigwas.genotypes.files import sample_path
from contigwas.genotypes.interface import MISSING, Genotypes, read_once
from contigwas.genotypes.plink2_tables import sexes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import require

log = logging.getLogger(__name__)

CERTAIN = 0.1  # a call is hard where a whole number is at most this far, as by plink2 --hard-call-threshold
THREADS = 4  # at most, unless the caller says otherwise


class Bgen(Genotypes):
    """A .bgen file; the effect allele is the second of the file.

    Dosages are expected copies; a haploid sample (a male on X) counts twice. Hard calls are the whole numbers that are
    at most `CERTAIN` from the dosage. Variants of more than two alleles are left out and counted.
    """

    has_dosages = True

    def __init__(self, path: PathLike, chrom: object = None, threads: int | None = None) -> None:
        """Open `path`; `chrom` restricts it to one chromosome; `threads` decode a block.

        The variants are those of the .bgi beside it (`name.bgen.bgi`), else of a pass over the file. Raises UserError
        when the file is no .bgen of layout 2, is cut short, or does not belong to its .bgi or .sample, when a sample is
        named twice, or when no variant is on `chrom`.
        """
        self.path = require(path, "the path of the genotypes")
        self.threads = threads or min(THREADS, os.cpu_count() or 1)
        header = read_header(self.path)
        self.samples = read_bgen_samples(self.path)
        if len(self.samples) != header.samples:
            raise UserError(
                f"{self.path} holds {header.samples} samples, where {sample_path(self.path)} names {len(self.samples)}: "
                "the files do not belong together"
            )
        everything = read_once(read_index, self.path, "the path of the genotypes")
        left_out = self._choose(everything, self.path, chrom, (everything["alleles"] == 2).to_numpy())
        if left_out:
            log.info("%s: %d variants of more than two alleles are left out", self.path, left_out)
        self._compression = header.compression
        self._starts = everything["start"].to_numpy()

    def _hard_calls(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        return self._decode(rows, samples, np.int8, hard_calls)

    def _expected(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        return self._decode(rows, samples, np.float32, lambda dosages, haploid: dosages)

    def _decode(self, rows: np.ndarray, samples: np.ndarray, dtype: type, kind: Callable) -> np.ndarray:
        """`kind` of every dosage: (samples, variants), Fortran order. Threads take rows in turn, each with a file."""
        values = np.empty((rows.size, samples.size), dtype)

        def work(first: int) -> None:
            with self.path.open("rb") as file, cbgen.bgen_file(self.path) as bgen:
                for number in range(first, rows.size, workers):
                    dosages, haploid = self._dosages(file, bgen, rows[number])
                    values[number] = kind(dosages[samples], haploid[samples])

        workers = min(self.threads, rows.size)
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(work, range(workers)):
                pass
        return values.T

    def _dosages(self, file: BufferedReader, bgen: cbgen.bgen_file, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Expected copies of the second allele, float32, NaN where missing, and who is haploid; both (samples,)."""
        named = f"{self.path}: the variant {row + 1}"
        try:
            offset = genotype_offset(file, self._starts[row])
            dosages = common_dosages(read_block(file, offset, self._compression), len(self.samples))
            if dosages is not None:
                return dosages, np.zeros(len(dosages), bool)
            return any_dosages(bgen, offset)
        except (Damaged, struct.error):
            raise UserError(f"{named} cannot be decoded: the file is damaged, copy it again") from None
        except ValueError:
            raise UserError(f"{named} has more than two copies a sample: leave it out") from None


def hard_calls(dosages: np.ndarray, haploid: np.ndarray) -> np.ndarray:
    """The whole number at most `CERTAIN` from a dosage, else -127: int8. A haploid sample has 0 or 2 copies."""
    nearest = np.rint(dosages)
    certain = (np.abs(dosages - nearest) <= CERTAIN) & ~(haploid & (nearest == 1))
    return np.where(certain, nearest, MISSING).astype(np.int8)


def read_bgen_samples(path: PathLike) -> pd.DataFrame:
    """Samples of a .bgen: those of the .sample beside it, else the IDs in its header (fid is the IID, sex 0)."""
    samples = sample_path(path)
    if samples.suffix == ".sample":
        return read_sample(samples)
    names = read_ids(Path(path))
    if names is None:
        raise UserError(
            f"{path} names no samples, and {Path(path).with_suffix('.sample')} does not exist: put it there"
        )
    require_unique(names, path)
    return pd.DataFrame({"fid": names, "iid": names, "sex": np.zeros(len(names), np.int8)})


def read_sample(path: PathLike) -> pd.DataFrame:
    """Samples of a .sample file in file order: `fid` (ID_1), `iid` (ID_2), `sex` (0 unknown, 1 male, 2 female).

    A single column ID is both. Raises UserError when the file is missing or malformed, or names a sample twice.
    """
    path = require(path, "the .sample file beside the .bgen")
    with path.open(encoding="utf-8", errors="replace") as file:
        names = [name.lower() for name in file.readline().split()]
        kinds = file.readline().split()
    single = names[:1] == ["id"]
    if not (single or names[:2] == ["id_1", "id_2"]) or len(kinds) != len(names) or kinds[0] != "0":
        raise UserError(
            f"{path} does not start with the two header lines of a .sample file (ID_1 ID_2 missing sex, then 0 0 0 D): "
            "write it again with plink2 --export bgen-1.2"
        )
    try:
        table = pd.read_csv(
            path, sep=r"\s+", header=None, names=names, skiprows=2, dtype=str, na_filter=False, quoting=3,
            index_col=False,
        )  # fmt: skip
    except (ValueError, pd.errors.ParserError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not a regular table ({reason}): fix that line") from None
    short = np.flatnonzero((table == "").any(axis=1).to_numpy())
    if short.size:
        raise UserError(f"{path}: line {short[0] + 3} has fewer columns than the header: fix it")
    fid, iid = ("id", "id") if single else ("id_1", "id_2")
    samples = pd.DataFrame({"fid": table[fid], "iid": table[iid]})
    samples["sex"] = sexes(table["sex"]) if "sex" in table else np.int8(0)
    require_unique(samples["iid"], path)
    return samples
