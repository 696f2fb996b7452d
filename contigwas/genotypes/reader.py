"""Open genotypes of any format: .bed, .pgen and .bgen files by one small interface."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from contigwas.genotypes.bed import Bed, read_fam
from contigwas.genotypes.bgen import Bgen, read_bgen_people, read_sample
from contigwas.genotypes.chromosome_names import require_analysed
from contigwas.genotypes.interface import Genotypes
from contigwas.genotypes.pgen import Pgen
from contigwas.genotypes.plink2_tables import read_psam
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

__all__ = ["Bed", "Genotypes", "open_genotypes", "read_people"]

FORMATS: dict[str, Callable[..., Genotypes]] = {".bed": Bed, ".pgen": Pgen, ".bgen": Bgen}
PEOPLE: dict[str, Callable[[PathLike], pd.DataFrame]] = {
    ".fam": read_fam,
    ".psam": read_psam,
    ".sample": read_sample,
    ".bgen": read_bgen_people,
}


def open_genotypes(pattern: PathLike, chrom: object, threads: int | None = None) -> Genotypes:
    """The variants of `chrom`: `pattern` holds `{chrom}`, or is one file for all; its suffix tells the format.

    `chrom` is 1 to 22 or X. `threads` decode a block (None: the reader's choice). Raises UserError when a file is
    missing or malformed, or has no variant on `chrom`.
    """
    path = Path(str(pattern).replace("{chrom}", require_analysed(chrom)))
    return FORMATS[_known(path, FORMATS)](path, chrom, threads)


def read_people(path: PathLike) -> pd.DataFrame:
    """People of a file that names them, file order: `fid`, `iid` (str), `sex` (0 unknown, 1 male, 2 female).

    Raises UserError when the file is missing or malformed, or names a person twice.
    """
    path = Path(path)
    return PEOPLE[_known(path, PEOPLE)](path)


def _known(path: Path, formats: dict) -> str:
    if path.suffix not in formats:
        raise UserError(
            f"{path} is not a file of genotypes that can be read: its name must end in {', '.join(formats)}"
        )
    return path.suffix
