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
    """Return the path of the .fam file that belongs to a .bed file."""
    return Path(bed).with_suffix(".fam")


def read_fam(path: PathLike) -> pd.DataFrame:
    """Read the samples of a .fam file in file order: `fid`, `iid` (str), `sex` (0 unknown, 1 male, 2 female).

    Raises UserError when the file is missing, is empty, does not have six columns, or contains a duplicate IID.
    """
    table = _read_columns(Path(path), "the .fam file of the .bed")
    samples = table.iloc[:, [0, 1]].set_axis(["fid", "iid"], axis=1)
    samples["sex"] = table[4].map({"1": 1, "2": 2}).fillna(0).astype(np.int8)
    require_unique(samples["iid"], path)
    return samples


def read_bim(path: PathLike) -> pd.DataFrame:
    """Read the variants of a .bim file in file order.

    Columns: `chrom`, `id`, `pos` (int32, base pairs), `effect_allele`, `other_allele`. The effect allele is
    column 5 of the file. Raises UserError when the file is missing or malformed.
    """
    table = _read_columns(Path(path), "the .bim file of the .bed")
    positions = pd.to_numeric(table[3], errors="coerce")
    wrong = np.flatnonzero(~(positions.abs() < 2**31).to_numpy() | (positions % 1 != 0).to_numpy())
    if wrong.size:
        raise UserError(f"{path}, line {wrong[0] + 1}: column 4 is not a position in base pairs. Fix the .bim file.")
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
    """Read the six columns of a .bim or .fam file, which are separated by white space, as strings."""
    require(path, what)
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty. Six columns per line are expected.")
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, na_filter=False, quoting=3)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UserError(f"{path} does not have six columns per line ({reason}). Fix that line.") from None
    short = np.flatnonzero((table.iloc[:, -1] == "").to_numpy())
    if table.shape[1] != 6 or short.size:
        where = f"line {short[0] + 1} is too short" if table.shape[1] == 6 else f"{table.shape[1]} columns were found"
        raise UserError(f"{path} does not have six columns per line ({where}). Write it again with plink2 --make-bed.")
    return table


def check_bed(path: Path, variants: int, samples: int) -> None:
    """Raise UserError unless a .bed has the magic number and the size that its .bim and .fam imply."""
    require_magic(path)
    found = path.stat().st_size
    expected = 3 + variants * -(-samples // 4)
    if found != expected:
        why = "it is truncated" if found < expected else "it is too long"
        raise UserError(
            f"{path} has {found} bytes, but {expected} are expected for the {variants} variants of its .bim and the "
            f"{samples} samples of its .fam: {why}, or the three files do not belong together. Copy them again."
        )


def require_magic(path: Path) -> None:
    """Raise UserError unless a file begins with the three magic bytes of a variant-major .bed."""
    with path.open("rb") as file:
        magic = file.read(3)
    if magic[:2] != MAGIC[:2]:
        raise UserError(f"{path} is not a PLINK 1 .bed file (wrong first bytes). Supply a .bed file.")
    if magic != MAGIC:
        raise UserError(f"{path} is sample-major. Write it again as variant-major with plink2 --make-bed.")


class Bed(Genotypes):
    """A .bed file with its .bim and .fam; the effect allele is column 5 of the .bim. Hard calls only."""

    def __init__(self, path: PathLike, chrom: object = None, threads: int | None = None) -> None:
        """Open `path`. `chrom` restricts it to one chromosome; `threads` decode a block (None: bed-reader's default).

        Raises UserError when a file is missing, when the .bed is not variant-major or does not have the size that its
        .bim and .fam imply (it is truncated or from another data set), when an IID is duplicated, or when there is no
        variant on `chrom`.
        """
        self.path = require(path, "the path of the genotypes")
        self.threads = threads
        bim = self.path.with_suffix(".bim")
        self.samples = read_fam(fam_path(self.path))
        all_variants = read_once(read_bim, bim, "the .bim file of the .bed")
        self._variant_count = len(all_variants)
        check_bed(self.path, self._variant_count, len(self.samples))
        self._select_variants(all_variants, bim, chrom)

    def _hard_calls(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        with bed_reader.open_bed(
            self.path, iid_count=len(self.samples), sid_count=self._variant_count, num_threads=self.threads
        ) as bed:
            return bed.read(index=(samples, rows), dtype="int8", order="F")
