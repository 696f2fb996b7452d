"""Read .bgen files of layout 2 (BGEN 1.2 and 1.3, phased or unphased, any number of bits) and their .sample files."""

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

from contigwas.genotypes.bgen_block import CorruptBlock, any_dosages, common_dosages, read_block
from contigwas.genotypes.bgen_index import genotype_offset, read_header, read_ids, read_index
from contigwas.genotypes.files import bgen_sample_path
from contigwas.genotypes.interface import MISSING, Genotypes, read_once
from contigwas.genotypes.plink2_tables import code_sex
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import require

log = logging.getLogger(__name__)

HARD_CALL_THRESHOLD = 0.1  # maximum distance of a dosage from the hard call, as in plink2 --hard-call-threshold
MAX_THREADS = 4  # default limit


class Bgen(Genotypes):
    """A .bgen file; the effect allele is the second allele of the file.

    Dosages are expected copies of the effect allele. The dosage of a haploid sample (a male on X) is doubled. A hard
    call is the integer within `HARD_CALL_THRESHOLD` of the dosage. Variants with more than two alleles are skipped and
    counted.
    """

    has_dosages = True

    def __init__(self, path: PathLike, chrom: object = None, threads: int | None = None) -> None:
        """Open `path`. `chrom` restricts it to one chromosome; `threads` decode a block.

        The list of variants comes from the index (`name.bgen.bgi`) if it exists, else from one pass over the file.
        Raises UserError when the file is not a .bgen of layout 2, is truncated, or does not match its .bgi or .sample,
        when an IID is duplicated, or when there is no variant on `chrom`.
        """
        self.path = require(path, "the path of the genotypes")
        self.threads = threads or min(MAX_THREADS, os.cpu_count() or 1)
        header = read_header(self.path)
        self.samples = read_bgen_samples(self.path)
        if len(self.samples) != header.samples:
            raise UserError(
                f"{self.path} contains {header.samples} samples, but {bgen_sample_path(self.path)} lists "
                f"{len(self.samples)}: the files do not belong together. Supply the .sample file of this .bgen."
            )
        all_variants = read_once(read_index, self.path, "the path of the genotypes")
        n_skipped = self._select_variants(all_variants, self.path, chrom, (all_variants["alleles"] == 2).to_numpy())
        if n_skipped:
            log.info("%s: %d variants with more than two alleles are skipped", self.path, n_skipped)
        self._compression = header.compression
        self._offsets = all_variants["start"].to_numpy()

    def _hard_calls(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        return self._decode(rows, samples, np.int8, hard_calls)

    def _expected(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        return self._decode(rows, samples, np.float32, lambda dosages, haploid: dosages)

    def _decode(self, rows: np.ndarray, samples: np.ndarray, dtype: type, convert: Callable) -> np.ndarray:
        """Apply `convert` to the dosages of every variant: (samples, variants), Fortran order.

        Each thread opens the file and decodes every n-th row.
        """
        values = np.empty((rows.size, samples.size), dtype)

        def decode_rows(first_row: int) -> None:
            with self.path.open("rb") as file, cbgen.bgen_file(self.path) as bgen:
                for number in range(first_row, rows.size, workers):
                    dosages, haploid = self._dosages(file, bgen, rows[number])
                    values[number] = convert(dosages[samples], haploid[samples])

        workers = min(self.threads, rows.size)
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(decode_rows, range(workers)):
                pass
        return values.T

    def _dosages(self, file: BufferedReader, bgen: cbgen.bgen_file, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Decode dosages of the second allele (float32, NaN if missing) and whether samples are haploid: (samples,)."""
        variant_label = f"{self.path}: variant {row + 1}"
        try:
            offset = genotype_offset(file, self._offsets[row])
            dosages = common_dosages(read_block(file, offset, self._compression), len(self.samples))
            if dosages is not None:
                return dosages, np.zeros(len(dosages), bool)
            return any_dosages(bgen, offset)
        except (CorruptBlock, struct.error):
            raise UserError(f"{variant_label} cannot be decoded. The file is corrupt: copy it again.") from None
        except ValueError:
            raise UserError(
                f"{variant_label} has samples with more than two alleles. Remove the variant from the file."
            ) from None


def hard_calls(dosages: np.ndarray, haploid: np.ndarray) -> np.ndarray:
    """Round dosages within `HARD_CALL_THRESHOLD` of an integer, -127 for all others: int8. A haploid call is 0 or 2."""
    nearest = np.rint(dosages)
    certain = (np.abs(dosages - nearest) <= HARD_CALL_THRESHOLD) & ~(haploid & (nearest == 1))
    return np.where(certain, nearest, MISSING).astype(np.int8)


def read_bgen_samples(path: PathLike) -> pd.DataFrame:
    """Read the samples of a .bgen from its .sample file, else from the IDs in its header (FID = IID, sex 0).

    Raises UserError when there are no IDs, or an IID is duplicated.
    """
    samples = bgen_sample_path(path)
    if samples.suffix == ".sample":
        return read_sample(samples)
    names = read_ids(Path(path))
    if names is None:
        raise UserError(
            f"{path} contains no sample IDs, and {Path(path).with_suffix('.sample')} does not exist. "
            "Supply the .sample file."
        )
    require_unique(names, path)
    return pd.DataFrame({"fid": names, "iid": names, "sex": np.zeros(len(names), np.int8)})


def read_sample(path: PathLike) -> pd.DataFrame:
    """Read the samples of a .sample file in file order: `fid` (ID_1), `iid` (ID_2), `sex`.

    `sex` is 0 unknown, 1 male, 2 female. A single ID column is used for both IDs. Raises UserError when the file is
    missing or malformed, or an IID is duplicated.
    """
    path = require(path, "the .sample file of the .bgen")
    with path.open(encoding="utf-8", errors="replace") as file:
        names = [name.lower() for name in file.readline().split()]
        kinds = file.readline().split()
    single = names[:1] == ["id"]
    if not (single or names[:2] == ["id_1", "id_2"]) or len(kinds) != len(names) or kinds[0] != "0":
        raise UserError(
            f"{path} does not start with the two header lines of a .sample file (ID_1 ID_2 missing sex, then 0 0 0 D). "
            "Write it again with plink2 --export bgen-1.2."
        )
    try:
        table = pd.read_csv(
            path, sep=r"\s+", header=None, names=names, skiprows=2, dtype=str, na_filter=False, quoting=3,
            index_col=False,
        )  # fmt: skip
    except (ValueError, pd.errors.ParserError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not a regular table ({reason}). Fix that line.") from None
    short = np.flatnonzero((table == "").any(axis=1).to_numpy())
    if short.size:
        raise UserError(f"{path}, line {short[0] + 3} has fewer columns than the header. Fix that line.")
    fid, iid = ("id", "id") if single else ("id_1", "id_2")
    samples = pd.DataFrame({"fid": table[fid], "iid": table[iid]})
    samples["sex"] = code_sex(table["sex"]) if "sex" in table else np.int8(0)
    require_unique(samples["iid"], path)
    return samples
