"""Which files stand beside a file of genotypes. Nothing is opened here."""

from collections.abc import Iterable
from pathlib import Path

from contigwas.runtime.atomic_files import PathLike

SUFFIXES = (".bed", ".pgen", ".bgen")


def genotype_files(pattern: str, chromosomes: Iterable[object]) -> dict[str, list[str]]:
    """The files of some chromosomes, each once: `{chrom}` is filled in.

    `genotypes` are the .bed, .pgen or .bgen files, `genotyped_variants` the .bim, .pvar or .bgi (a .bgen may have
    none), `genotyped_people` the .fam, .psam or .sample (the .bgen itself where it has no .sample).
    """
    files = [Path(path) for path in dict.fromkeys(pattern.replace("{chrom}", str(chrom)) for chrom in chromosomes)]
    variants = [path for file in files for path in _variants(file)]
    return {
        "genotypes": [str(file) for file in files],
        "genotyped_variants": [str(path) for path in variants],
        "genotyped_people": [str(people_path(file)) for file in files],
    }


def people_path(genotypes: PathLike) -> Path:
    """The file that names the people of a file of genotypes."""
    path = Path(genotypes)
    if path.suffix == ".bgen":
        return sample_path(path)
    return path.with_suffix(".psam" if path.suffix == ".pgen" else ".fam")


def sample_path(bgen: PathLike) -> Path:
    """The .sample file beside a .bgen; the .bgen itself, which may name people, where there is none."""
    beside = Path(bgen).with_suffix(".sample")
    return beside if beside.is_file() else Path(bgen)


def bgi_path(bgen: PathLike) -> Path:
    """The index that bgenix writes beside a .bgen, whether it is there or not."""
    return Path(f"{bgen}.bgi")


def pvar_path(pgen: PathLike) -> Path:
    """The .pvar beside a .pgen; the .pvar.zst where that is what stands there."""
    plain = Path(pgen).with_suffix(".pvar")
    packed = plain.with_suffix(".pvar.zst")
    return packed if packed.is_file() and not plain.is_file() else plain


def _variants(file: Path) -> list[Path]:
    if file.suffix == ".bgen":
        return [path for path in [bgi_path(file)] if path.is_file()]
    return [pvar_path(file) if file.suffix == ".pgen" else file.with_suffix(".bim")]
