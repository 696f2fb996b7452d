"""Read PLINK 1 .bed/.bim/.fam files in blocks of variants."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import bed_reader
import numpy as np
import pandas as pd

from contigwas.errors import UserError
from contigwas.files import PathLike, require
from contigwas.people import require_unique

MAGIC = b"\x6c\x1b\x01"
AUTOSOMES = frozenset(str(number) for number in range(1, 23))


def chromosome(name: object) -> str:
    """A chromosome's plain name.

    >>> [chromosome(name) for name in (1, "1", "chr1", "chrX")]
    ['1', '1', '1', 'X']
    """
    text = str(name).strip()
    text = text[3:] if text[:3].lower() == "chr" else text
    return str(int(text)) if text.isdecimal() else text.upper()


def require_autosome(name: object) -> str:
    """The plain name of an autosome; UserError for anything else."""
    plain = chromosome(name)
    if plain not in AUTOSOMES:
        raise UserError(f"chromosome {name} is not an autosome: keep only 1 to 22 in genotypes.chromosomes")
    return plain


def fam_path(bed: PathLike) -> Path:
    """The .fam file beside a .bed file."""
    return Path(bed).with_suffix(".fam")


def read_fam(path: PathLike) -> pd.DataFrame:
    """People of a .fam file in file order: `fid`, `iid` (str), `sex` (0 unknown, 1 male, 2 female).

    Raises UserError when the file is missing, not six columns wide, empty, or names a person twice.
    """
    table = _read_columns(Path(path), "the .fam file beside the .bed")
    people = table.iloc[:, [0, 1]].set_axis(["fid", "iid"], axis=1)
    people["sex"] = table[4].map({"1": 1, "2": 2}).fillna(0).astype(np.int8)
    require_unique(people["iid"], path)
    return people


def read_bim(path: PathLike) -> pd.DataFrame:
    """Variants of a .bim file in file order: `chrom`, `id`, `pos` (int32, base pairs), `effect_allele`, `other_allele`.

    The effect allele is column 5 of the file. Raises UserError when the file is missing or malformed.
    """
    table = _read_columns(Path(path), "the .bim file beside the .bed")
    positions = pd.to_numeric(table[3], errors="coerce")
    wrong = np.flatnonzero(~(positions.abs() < 2**31).to_numpy() | (positions % 1 != 0).to_numpy())
    if wrong.size:
        raise UserError(f"{path}, line {wrong[0] + 1}: column 4 is not a position in base pairs: mend the .bim file")
    names = {name: chromosome(name) for name in table[0].unique()}
    return pd.DataFrame(
        {
            "chrom": table[0].map(names),
            "id": table[1],
            "pos": positions.astype(np.int32),
            "effect_allele": table[4].str.upper(),
            "other_allele": table[5].str.upper(),
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
        raise UserError(f"{path} is not six columns a line ({reason}): mend that line") from None
    short = np.flatnonzero((table.iloc[:, -1] == "").to_numpy())
    if table.shape[1] != 6 or short.size:
        where = f"line {short[0] + 1} is short" if table.shape[1] == 6 else f"{table.shape[1]} columns were found"
        raise UserError(f"{path} is not six columns a line ({where}): write it again with plink2 --make-bed")
    return table


@lru_cache(maxsize=2)
def _cached_bim(path: Path, size: int, changed: int) -> pd.DataFrame:
    """A .bim file that serves all chromosomes is parsed once; `size` and `changed` tell when it is another file."""
    return read_bim(path)


class Bed:
    """The variants of one chromosome (or of all) in a .bed file.

    Attributes:
        people: DataFrame `fid iid sex`, file order.
        variants: DataFrame `chrom id pos effect_allele other_allele`, of this chromosome, file order, index 0, 1, ….
        rows: int64, where each of `variants` stands in the file.
    """

    def __init__(self, path: PathLike, chrom: object = None, threads: int | None = None) -> None:
        """Open `path`; `chrom` restricts it to one autosome; `threads` decode a block (None: bed-reader's choice).

        Raises UserError when a file is missing, is not a variant-major .bed, has another size than its .bim and .fam
        say (truncated, or not the same data set), names a person twice, or has no variant on `chrom`.
        """
        self.path = require(path, "the path of the genotypes")
        self.threads = threads
        wanted = None if chrom is None else require_autosome(chrom)
        bim = self.path.with_suffix(".bim")
        self.people = read_fam(fam_path(self.path))
        stat = require(bim, "the .bim file beside the .bed").stat()
        everything = _cached_bim(bim, stat.st_size, stat.st_mtime_ns)
        self._count = len(everything)
        self._check()
        of_chrom = np.ones(self._count, bool) if wanted is None else (everything["chrom"] == wanted).to_numpy()
        self.rows = np.flatnonzero(of_chrom)
        if not self.rows.size:
            found = ", ".join(map(str, everything["chrom"].unique()[:25]))
            raise UserError(f"{bim} has no variant on chromosome {wanted} (it has {found}): correct the config")
        self.variants = everything[of_chrom].reset_index(drop=True)

    def _check(self) -> None:
        """Raise UserError unless the .bed has its magic number and the size that .bim and .fam call for."""
        with self.path.open("rb") as file:
            magic = file.read(3)
        if magic[:2] != MAGIC[:2]:
            raise UserError(f"{self.path} is not a PLINK 1 .bed file (wrong first bytes): bring a .bed file")
        if magic != MAGIC:
            raise UserError(f"{self.path} is stored person by person: write it again with plink2 --make-bed")
        found = self.path.stat().st_size
        expected = 3 + self._count * -(-len(self.people) // 4)
        if found != expected:
            why = "it is cut short" if found < expected else "it is too long"
            raise UserError(
                f"{self.path} has {found} bytes where {expected} are expected for the {self._count} variants of its "
                f".bim and the {len(self.people)} people of its .fam: {why}, or the three files do not belong together"
            )

    def read(self, variants: np.ndarray, people: np.ndarray | None = None) -> np.ndarray:
        """Dosages of the effect allele, -127 where not called: int8 (people, variants), Fortran order.

        `variants` and `people` are integer positions in `self.variants` and `self.people`, in any order; None is
        everyone.
        """
        rows = self.rows[np.asarray(variants, dtype=np.int64)]
        if people is None:
            people = np.arange(len(self.people))
        if not rows.size or not len(people):
            return np.empty((len(people), rows.size), np.int8, order="F")
        with bed_reader.open_bed(
            self.path, iid_count=len(self.people), sid_count=self._count, num_threads=self.threads
        ) as bed:
            return bed.read(index=(np.asarray(people, dtype=np.int64), rows), dtype="int8", order="F")

    def blocks(
        self, variants: np.ndarray, people: np.ndarray | None = None, size: int = 1024
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (positions of the variants, their dosages as by `read`) for `size` variants at a time.

        The next block is read while the caller works on this one: two blocks are in memory.
        """
        variants = np.asarray(variants, dtype=np.int64)
        parts = [variants[start : start + size] for start in range(0, variants.size, size)]
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(self.read, parts[0], people) if parts else None
            for number, part in enumerate(parts):
                values = ahead.result()
                if number + 1 < len(parts):
                    ahead = pool.submit(self.read, parts[number + 1], people)
                yield part, values


def open_bed(pattern: PathLike, chrom: object, threads: int | None = None) -> Bed:
    """The variants of `chrom`: `pattern` holds `{chrom}`, or is one file for all chromosomes."""
    return Bed(str(pattern).replace("{chrom}", require_autosome(chrom)), chrom, threads)
