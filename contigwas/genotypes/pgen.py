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

NOT_CALLED = -9  # pgenlib's code for missing calls and dosages


def check_pgen(path: Path, pvar: Path, variants: int, samples: int) -> bool:
    """Return whether a .pgen stores dosages.

    Raises UserError unless its counts match the .pvar and .psam, and its size matches its header.
    """
    header = read_header(path)
    if (header.variants, header.samples) != (variants, samples):
        raise UserError(
            f"{path} contains {header.variants} variants of {header.samples} samples, but {pvar} lists {variants} "
            f"variants and the .psam {samples} samples: the three files do not belong together. Copy them again."
        )
    found = path.stat().st_size
    if header.size is not None and found != header.size:
        why = "it is truncated" if found < header.size else "it is too long"
        raise UserError(f"{path} has {found} bytes, but its header implies {header.size}: {why}. Copy it again.")
    return header.dosages


class Pgen(Genotypes):
    """A .pgen file with its .pvar (or .pvar.zst) and .psam; the effect allele is ALT.

    Contains hard calls, and dosages if a record stores them. As in plink2, the hard call is used for a sample without a
    dosage. Multiallelic variants are skipped and counted.
    """

    def __init__(self, path: PathLike, chrom: object = None, threads: int | None = None) -> None:
        """Open `path`. `chrom` restricts it to one chromosome; `threads` is not used.

        Raises UserError when a file is missing or malformed, when the .pgen is truncated or does not match its .pvar
        and .psam, when an IID is duplicated, or when there is no variant on `chrom`.
        """
        self.path = require(path, "the path of the genotypes")
        pvar = pvar_path(self.path)
        self.samples = read_psam(self.path.with_suffix(".psam"))
        all_variants = read_once(read_pvar, pvar, "the .pvar file of the .pgen")
        self.has_dosages = check_pgen(self.path, pvar, len(all_variants), len(self.samples))
        alternate_alleles = all_variants["alternate_alleles"].to_numpy()
        n_skipped = self._select_variants(all_variants, pvar, chrom, alternate_alleles == 1)
        if n_skipped:
            log.info("%s: %d multiallelic variants are skipped", self.path, n_skipped)
        options = {}
        if (alternate_alleles > 1).any():
            options["allele_idx_offsets"] = np.concatenate([[0], np.cumsum(alternate_alleles + 1)]).astype(np.uintp)
        try:
            self._reader = pgenlib.PgenReader(bytes(self.path), **options)
        except RuntimeError:
            raise self._unreadable_error() from None
        self._lock = Lock()  # all threads share one file position and one subset of samples

    def _unreadable_error(self) -> UserError:
        return UserError(f"{self.path} cannot be read as a .pgen file. Write it again with plink2 --make-pgen.")

    def _hard_calls(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        calls = self._read("read_list", rows, samples, np.int8)
        calls[calls == NOT_CALLED] = MISSING
        return calls

    def _expected(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        dosages = self._read("read_dosages_list", rows, samples, np.float32)
        dosages[dosages == NOT_CALLED] = np.nan
        return dosages

    def _read(self, method: str, rows: np.ndarray, samples: np.ndarray, dtype: type) -> np.ndarray:
        """Call a read method of pgenlib: (samples, variants), Fortran order."""
        chosen, positions = np.unique(samples, return_inverse=True)
        values = np.empty((rows.size, chosen.size), dtype)
        with self._lock:
            self._reader.change_sample_subset(chosen.astype(np.uint32))
            try:
                getattr(self._reader, method)(rows.astype(np.uint32), values)
            except RuntimeError:
                raise self._unreadable_error() from None
        in_order = chosen.size == samples.size and (positions == np.arange(samples.size)).all()
        return (values if in_order else values[:, positions]).T
