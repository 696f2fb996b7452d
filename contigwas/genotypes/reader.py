"""Open .bed, .pgen and .bgen files through a common interface."""

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
SAMPLE_FORMATS: dict[str, Callable[[PathLike], pd.DataFrame]] = {
    ".fam": read_fam,
    ".psam": read_psam,
    ".sample": read_sample,
    ".bgen": read_bgen_samples,
}


def open_genotypes(genotype_files: GenotypeFiles, chrom: object, threads: int | None = None) -> Genotypes:
    """Open the genotypes of chromosome `chrom` (1 to 22 or X). The suffix of the path determines the format.

    `genotype_files` is a path, which may contain `{chrom}`, or maps chromosomes to paths. `threads` decode a block
    (None: the reader's default). Raises UserError when a file is missing or malformed, or has no variant on `chrom`.
    """
    name = require_analysed(chrom)
    chosen = genotype_files[name] if isinstance(genotype_files, Mapping) else genotype_files
    path = Path(str(chosen).replace("{chrom}", name))
    return FORMATS[_require_suffix(path, FORMATS)](path, chrom, threads)


def read_samples(path: PathLike) -> pd.DataFrame:
    """Read the samples of a .fam, .psam, .sample or .bgen: `fid`, `iid` (str), `sex` (0 unknown, 1 male, 2 female).

    The order is that of the file. Raises UserError when the file is missing or malformed, or an IID is duplicated.
    """
    path = Path(path)
    return SAMPLE_FORMATS[_require_suffix(path, SAMPLE_FORMATS)](path)


def _require_suffix(path: Path, formats: dict) -> str:
    """Return the suffix of `path`. Raises UserError unless it is one of `formats`."""
    if path.suffix not in formats:
        raise UserError(f"{path} is not a supported genotype file. Its name must end in {', '.join(formats)}.")
    return path.suffix
