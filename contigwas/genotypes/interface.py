"""Common interface of the genotype readers of all file formats."""

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

MISSING = -127  # hard call of a missing genotype


class Genotypes(ABC):
    """The variants of one chromosome (or of all chromosomes) in a genotype file.

    Attributes:
        path: the file with the genotypes.
        samples: DataFrame `fid iid sex` (0 unknown, 1 male, 2 female), file order.
        variants: DataFrame `chrom id pos effect_allele other_allele`, of this chromosome, file order, index 0, 1, ….
        rows: int64, the row of each of `variants` in the file.
        has_dosages: whether the file contains dosages in addition to hard calls.
        multiallelic: DataFrame `chrom pos` of this chromosome's multiallelic variants, which are not read.
    """

    path: Path
    samples: pd.DataFrame
    variants: pd.DataFrame
    rows: np.ndarray
    multiallelic: pd.DataFrame
    has_dosages: bool = False

    def read(self, variants: np.ndarray, samples: np.ndarray | None = None) -> np.ndarray:
        """Read hard calls: int8 (samples, variants), Fortran order; copies of the effect allele, -127 where missing.

        `variants` and `samples` are integer positions in `self.variants` and `self.samples`, in any order. None means
        all samples.
        """
        return self._values(variants, samples, np.int8)

    def dosages(self, variants: np.ndarray, samples: np.ndarray | None = None) -> np.ndarray:
        """Read dosages of the effect allele, 0 to 2, NaN where missing: float32 (samples, variants), Fortran order.

        For a file without dosages, returns the int8 hard calls of `read`.
        """
        return self._values(variants, samples, np.float32 if self.has_dosages else np.int8)

    def blocks(
        self, variants: np.ndarray, samples: np.ndarray | None = None, size: int = 1024, dosages: bool = False
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (positions of the variants, their values from `read` or `dosages`) for `size` variants at a time.

        The next block is read in the background, so two blocks are in memory.
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
        """Read hard calls as in `read`; `rows` are rows of the file, and neither argument is empty."""

    def _expected(self, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Read dosages as in `dosages`, or hard calls if the format has no dosages."""
        return self._hard_calls(rows, samples)

    def _select_variants(
        self, all_variants: pd.DataFrame, source: Path, chrom: object, usable: np.ndarray | None = None
    ) -> int:
        """Set `variants`, `rows` and `multiallelic` from `all_variants`, the variants of the file.

        `chrom` restricts them to one chromosome (None: all). `usable` marks the variants that can be read. Returns the
        number of unusable variants of the chromosome. Raises UserError, which names the file `source`, when no
        variant is left.
        """
        of_chrom = on_chromosome(all_variants["chrom"], source, chrom)
        chosen = of_chrom if usable is None else of_chrom & usable
        if not chosen.any():
            raise UserError(f"{source} contains only multiallelic variants. Split them with bcftools norm -m-.")
        self.rows = np.flatnonzero(chosen)
        self.multiallelic = all_variants.loc[of_chrom & ~chosen, ["chrom", "pos"]]
        self.variants = all_variants.loc[chosen, ["chrom", "id", "pos", "effect_allele", "other_allele"]]
        self.variants = self.variants.reset_index(drop=True)
        return int(of_chrom.sum() - chosen.sum())


def on_chromosome(names: pd.Series, source: Path, chrom: object) -> np.ndarray:
    """Return which variants are on `chrom` (None: all): bool (variants,).

    `names` are the variants' chromosomes. Raises UserError, which names the file `source`, when there is none.
    """
    wanted = None if chrom is None else require_analysed(chrom)
    selected = np.ones(len(names), bool) if wanted is None else (names == wanted).to_numpy()
    if not selected.any():
        found = ", ".join(map(str, names.unique()[:25])) or "no variants"
        where = "" if wanted is None else f" on chromosome {wanted}"
        raise UserError(f"{source} has no variant{where} (it has {found}). Correct the config.")
    return selected


@lru_cache(maxsize=2)
def _cached(read: Callable[[Path], pd.DataFrame], path: Path, size: int, modified: int) -> pd.DataFrame:
    return read(path)


def read_once(read: Callable[[Path], pd.DataFrame], path: PathLike, what: str) -> pd.DataFrame:
    """Return `read(path)`, parsed once for all chromosomes; the cache is keyed by path, size and modification time.

    Raises UserError, which describes the file as `what`, when it is missing.
    """
    stat = require(path, what).stat()
    return _cached(read, Path(path), stat.st_size, stat.st_mtime_ns)
