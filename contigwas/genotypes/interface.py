"""What every reader of genotypes offers, whatever the format of the file."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import require_analysed
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

MISSING = -127


class Genotypes(ABC):
    """The variants of one chromosome (or of all) in a file.

    Attributes:
        path: the file with the calls.
        samples: DataFrame `fid iid sex` (0 unknown, 1 male, 2 female), file order.
        variants: DataFrame `chrom id pos effect_allele other_allele`, of this chromosome, file order, index 0, 1, ….
        rows: int64, where each of `variants` stands in the file.
        has_dosages: whether `dosages` gives more than hard calls.
        several: DataFrame `chrom pos` of this chromosome's records of several alternate alleles, which cannot be read.
    """

    path: Path
    samples: pd.DataFrame
    variants: pd.DataFrame
    rows: np.ndarray
    several: pd.DataFrame
    has_dosages: bool = False

    def read(self, variants: np.ndarray, samples: np.ndarray | None = None) -> np.ndarray:
        """Hard calls, copies of the effect allele, -127 where not called: int8 (samples, variants), Fortran order.

        `variants` and `samples` are integer positions in `self.variants` and `self.samples`, in any order; None is
        everyone.
        """
        return self._values(variants, samples, np.int8)

    def dosages(self, variants: np.ndarray, samples: np.ndarray | None = None) -> np.ndarray:
        """Expected copies of the effect allele, 0 to 2, NaN where missing: float32 (samples, variants), Fortran order.

        A file that has hard calls only gives what `read` gives, int8.
        """
        return self._values(variants, samples, np.float32 if self.has_dosages else np.int8)

    def blocks(
        self, variants: np.ndarray, samples: np.ndarray | None = None, size: int = 1024, dosages: bool = False
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (positions of the variants, their values as by `read` or `dosages`) for `size` variants at a time.

        The next block is read while the caller works on this one: two blocks are in memory.
        """
        read = self.dosages if dosages else self.read
        variants = np.asarray(variants, dtype=np.int64)
        parts = [variants[start : start + size] for start in range(0, variants.size, size)]
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, parts[0], samples) if parts else None
            for number, part in enumerate(parts):
                values = ahead.result()
                if number + 1 < len(parts):
                    ahead = pool.submit(read, parts[number + 1], samples)
                yield part, values

    def _values(self, variants: np.ndarray, samples: np.ndarray | None, dtype: type) -> np.ndarray:
        rows = self.rows[np.asarray(variants, dtype=np.int64)]
        samples = np.arange(len(self.samples)) if samples is None else np.asarray(samples, dtype=np.int64)
        if not rows.size or not samples.size:
            return np.empty((samples.size, rows.size), dtype, order="F")
        return self._hard_calls(rows, samples) if dtype is np.int8 else self._expected(rows, samples)

    @abstractmethod
    def _hard_calls(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """As `read`, of at least one row of the file and one sample."""

    def _expected(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """As `dosages`, float32, of a file that has them; one that has hard calls only gives those, int8."""
        return self._hard_calls(rows, samples)

    def _choose(self, everything: pd.DataFrame, named_in: Path, chrom: object, usable: np.ndarray | None = None) -> int:
        """Set `variants` and `rows` to those of `chrom` (None: all) among `everything`, the variants of the file.

        `usable` marks those that can be read at all. Returns how many of the chromosome cannot. Raises UserError,
        which names the file `named_in`, when nothing is left.
        """
        of_chrom = on_chromosome(everything["chrom"], named_in, chrom)
        chosen = of_chrom if usable is None else of_chrom & usable
        if not chosen.any():
            raise UserError(f"{named_in} has only multiallelic variants: split them with bcftools norm -m-")
        self.rows = np.flatnonzero(chosen)
        self.several = everything.loc[of_chrom & ~chosen, ["chrom", "pos"]]
        self.variants = everything.loc[chosen, ["chrom", "id", "pos", "effect_allele", "other_allele"]]
        self.variants = self.variants.reset_index(drop=True)
        return int(of_chrom.sum() - chosen.sum())


def on_chromosome(names: pd.Series, named_in: Path, chrom: object) -> np.ndarray:
    """Which of the variants' chromosomes are `chrom` (None: all), bool; UserError, which names the file, where none."""
    wanted = None if chrom is None else require_analysed(chrom)
    here = np.ones(len(names), bool) if wanted is None else (names == wanted).to_numpy()
    if not here.any():
        found = ", ".join(map(str, names.unique()[:25])) or "none at all"
        where = "" if wanted is None else f" on chromosome {wanted}"
        raise UserError(f"{named_in} has no variant{where} (it has {found}): correct the config")
    return here


@lru_cache(maxsize=2)
def _cached(read: Callable[[Path], pd.DataFrame], path: Path, size: int, changed: int) -> pd.DataFrame:
    return read(path)


def read_once(read: Callable[[Path], pd.DataFrame], path: PathLike, what: str) -> pd.DataFrame:
    """`read(path)`, parsed once for all chromosomes; size and time of change tell when it is another file.

    Raises UserError when the file (`what` it is) is missing.
    """
    stat = require(path, what).stat()
    return _cached(read, Path(path), stat.st_size, stat.st_mtime_ns)
