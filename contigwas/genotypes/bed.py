"""Read PLINK 1 .bed/.bim/.fam files."""

from pathlib import Path

import bed_reader
import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.interface import Genotypes, read_once
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_unique
from contigwas.tables.text import require

MAGIC = b"\x6c\x1b\x01"


def fam_path(bed: PathLike) -> Path:
    """The .fam file beside a .bed file."""
    return Path(bed).with_suffix(".fam")


def read_fam(path: PathLike) -> pd.DataFrame:
    """Samples of a .fam file in file order: `fid`, `iid` (str), `sex` (0 unknown, 1 male, 2 female).

    Raises UserError when the file is missing, not six columns wide, empty, or names a sample twice.
    """
    table = _read_columns(Path(path), "the .fam file beside the .bed")
    samples = table.iloc[:, [0, 1]].set_axis(["fid", "iid"], axis=1)
    samples["sex"] = table[4].map({"1": 1, "2": 2}).fillna(0).astype(np.int8)
    require_unique(samples["iid"], path)
    return samples


def read_bim(path: PathLike) -> pd.DataFrame:
    """Variants of a .bim file in file order: `chrom`, `id`, `pos` (int32, base pairs), `effect_allele`, `other_allele`.

    The effect allele is column 5 of the file. Raises UserError when the file is missing or malformed.
    """
    table = _read_columns(Path(path), "the .bim file beside the .bed")
    positions = pd.to_numeric(table[3], errors="coerce")
    wrong = np.flatnonzero(~(positions.abs() < 2**31).to_numpy() | (positions % 1 != 0).to_numpy())
    if wrong.size:
        raise UserError(f"{path}, line {wrong[0] + 1}: column 4 is not a position in base pairs: fix the .bim file")
    names = {name: chromosome(name) for name in table[0].unique()}
    return pd.DataFrame(
        {
            "chrom": table[0].map(names),
            "id": table[1],
            "pos": positions.astype(np.int32),
            "effect_allele": table[4].map({allele: allele.upper() for allele in table[4].unique()}),
            "other_allele": table[5].map({allele: allele.upper() for allele in table[5].unique()}),
        }
    )


def _read_columns(path: Path, what: str) -> pd.DataFrame:
    """The six white-space-separated columns of a .bim or .fam file as strings."""
    require(path, what)
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty: six columns a line are expected")
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, na_filter=False, quoting=3)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} is not six columns a line ({reason}): fix that line") from None
    short = np.flatnonzero((table.iloc[:, -1] == "").to_numpy())
    if table.shape[1] != 6 or short.size:
        where = f"line {short[0] + 1} is short" if table.shape[1] == 6 else f"{table.shape[1]} columns were found"
        raise UserError(f"{path} is not six columns a line ({where}): write it again with plink2 --make-bed")
    return table


def check_bed(path: Path, variants: int, samples: int) -> None:
    """Raise UserError unless a .bed has its magic number and the size that its .bim and .fam call for."""
    require_magic(path)
    found = path.stat().st_size
    expected = 3 + variants * -(-samples // 4)
    if found != expected:
        why = "it is cut short" if found < expected else "it is too long"
        raise UserError(
            f"{path} has {found} bytes where {expected} are expected for the {variants} variants of its .bim and the "
            f"{samples} samples of its .fam: {why}, or the three files do not belong together"
        )


def require_magic(path: Path) -> None:
    """Raise UserError unless a file begins as a variant-major .bed does."""
    with path.open("rb") as file:
        magic = file.read(3)
    if magic[:2] != MAGIC[:2]:
        raise UserError(f"{path} is not a PLINK 1 .bed file (wrong first bytes): supply a .bed file")
    if magic != MAGIC:
        raise UserError(f"{path} is stored sample by sample: write it again with plink2 --make-bed")


class Bed(Genotypes):
    """A .bed file with its .bim and .fam; the effect allele is column 5 of the .bim. Hard calls only."""

    def __init__(self, path: PathLike, chrom: object = None, threads: int | None = None) -> None:
        """Open `path`; `chrom` restricts it to one chromosome; `threads` decode a block (None: bed-reader's choice).

        Raises UserError when a file is missing, is not a variant-major .bed, has another size than its .bim and .fam
        say (truncated, or not the same data set), names a sample twice, or has no variant on `chrom`.
        """
        self.path = require(path, "the path of the genotypes")
        self.threads = threads
        bim = self.path.with_suffix(".bim")
        self.samples = read_fam(fam_path(self.path))
        everything = read_once(read_bim, bim, "the .bim file beside the .bed")
        self._count = len(everything)
        check_bed(self.path, self._count, len(self.samples))
        self._choose(everything, bim, chrom)

    def _hard_calls(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        with bed_reader.open_bed(
            self.path, iid_count=len(self.samples), sid_count=self._count, num_threads=self.threads
        ) as bed:
            return bed.read(index=(samples, rows), dtype="int8", order="F")
