"""Open genotypes of any format: .bed, .pgen and .bgen files by one small interface."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from contigwas.genotypes.bed import Bed, read_fam
from contigwas.genotypes.bgen import Bgen, read_bgen_samples, read_sample
from contigwas.genotypes.chromosome_names import require_analysed
from contigwas.genotypes.files import GenotypeFiles
from contigwas.genotypes.interface import Genotypes
from contigwas.genotypes.pgen import Pgen
from contigwas.genotypes.plink2_tables import read_psam
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

__all__ = ["Bed", "GenotypeFiles", "Genotypes", "open_genotypes", "read_samples"]

FORMATS: dict[str, Callable[..., Genotypes]] = {".bed": Bed, ".pgen": Pgen, ".bgen": Bgen}
SAMPLES: dict[str, Callable[[PathLike], pd.DataFrame]] = {
    ".fam": read_fam,
    ".psam": read_psam,
    ".sample": read_sample,
    ".bgen": read_bgen_samples,
}


def open_genotypes(genotype_files: GenotypeFiles, chrom: object, threads: int | None = None) -> Genotypes:
    """The variants of `chrom`. `genotype_files` is a path, which may hold `{chrom}`, or maps chromosomes to paths.

    The suffix of the path selects the format. `chrom` is 1 to 22 or X. `threads` decode a block (None: the reader's
    choice). Raises UserError when a file is missing or malformed, or has no variant on `chrom`.
    """
    name = require_analysed(chrom)
    chosen = genotype_files[name] if isinstance(genotype_files, Mapping) else genotype_files
    path = Path(str(chosen).replace("{chrom}", name))
    return FORMATS[_known(path, FORMATS)](path, chrom, threads)


def read_samples(path: PathLike) -> pd.DataFrame:
    """Samples of a file that names them, file order: `fid`, `iid` (str), `sex` (0 unknown, 1 male, 2 female).

    Raises UserError when the file is missing or malformed, or names a sample twice.
    """
    path = Path(path)
    return SAMPLES[_known(path, SAMPLES)](path)


def _known(path: Path, formats: dict) -> str:
    if path.suffix not in formats:
        raise UserError(
            f"{path} is not a file of genotypes that can be read: its name must end in {', '.join(formats)}"
        )
    return path.suffix
