"""Read PLINK 2 .pgen/.pvar/.psam files."""

import logging
from pathlib import Path
from threading import Lock

import numpy as np
import pgenlib

from contigwas.genotypes.files import pvar_path
from contigwas.genotypes.interface import MISSING, Genotypes, read_once
from contigwas.genotypes.pgen_header import read_header
from contigwas.genotypes.plink2_tables import read_psam, read_pvar
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)

NOT_CALLED = -9  # in what pgenlib gives, calls and dosages alike


def check_pgen(path: Path, pvar: Path, variants: int, samples: int) -> bool:
    """Whether a .pgen stores dosages; UserError unless its counts and its size are what they must be."""
    header = read_header(path)
    if (header.variants, header.samples) != (variants, samples):
        raise UserError(
            f"{path} holds {header.variants} variants of {header.samples} samples, where {pvar} names {variants} "
            f"variants and the .psam {samples} samples: the three files do not belong together"
        )
    found = path.stat().st_size
    if header.size is not None and found != header.size:
        why = "it is cut short" if found < header.size else "it is too long"
        raise UserError(f"{path} has {found} bytes where its header says {header.size}: {why}; copy it again")
    return header.dosages


class Pgen(Genotypes):
    """A .pgen file with its .pvar (or .pvar.zst) and .psam; the effect allele is ALT.

    Hard calls, and dosages where a record stores them (a sample without a dosage counts with the hard call, as in
    plink2). Variants of several alternate alleles are left out and counted.
    """

    def __init__(self, path: PathLike, chrom: object = None, threads: int | None = None) -> None:
        """Open `path`; `chrom` restricts it to one chromosome; `threads` is taken for the interface's sake.

        Raises UserError when a file is missing or malformed, when the .pgen is cut short or has other counts than its
        .pvar and .psam, when a sample is named twice, or when no variant is on `chrom`.
        """
        self.path = require(path, "the path of the genotypes")
        pvar = pvar_path(self.path)
        self.samples = read_psam(self.path.with_suffix(".psam"))
        everything = read_once(read_pvar, pvar, "the .pvar file beside the .pgen")
        self.has_dosages = check_pgen(self.path, pvar, len(everything), len(self.samples))
        alternate = everything["alternate_alleles"].to_numpy()
        left_out = self._choose(everything, pvar, chrom, alternate == 1)
        if left_out:
            log.info("%s: %d variants of several alternate alleles are left out", self.path, left_out)
        several = {}
        if (alternate > 1).any():
            several["allele_idx_offsets"] = np.concatenate([[0], np.cumsum(alternate + 1)]).astype(np.uintp)
        try:
            self._reader = pgenlib.PgenReader(bytes(self.path), **several)
        except RuntimeError:
            raise self._broken() from None
        self._lock = Lock()  # one file position, and one subset of samples, for all threads

    def _broken(self) -> UserError:
        return UserError(f"{self.path} cannot be read as a .pgen file: write it again with plink2 --make-pgen")

    def _hard_calls(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        calls = self._read("read_list", rows, samples, np.int8)
        calls[calls == NOT_CALLED] = MISSING
        return calls

    def _expected(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        dosages = self._read("read_dosages_list", rows, samples, np.float32)
        dosages[dosages == NOT_CALLED] = np.nan
        return dosages

    def _read(self, method: str, rows: np.ndarray, samples: np.ndarray, dtype: type) -> np.ndarray:
        """What a method of pgenlib gives, (samples, variants), Fortran order."""
        chosen, place = np.unique(samples, return_inverse=True)
        values = np.empty((rows.size, chosen.size), dtype)
        with self._lock:
            self._reader.change_sample_subset(chosen.astype(np.uint32))
            try:
                getattr(self._reader, method)(rows.astype(np.uint32), values)
            except RuntimeError:
                raise self._broken() from None
        in_order = chosen.size == samples.size and (place == np.arange(samples.size)).all()
        return (values if in_order else values[:, place]).T
