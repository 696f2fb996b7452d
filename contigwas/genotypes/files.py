"""The files that belong to a genotype file. Nothing is opened here."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from contigwas.runtime.atomic_files import PathLike

SUFFIXES = (".bed", ".pgen", ".bgen")
GenotypeFiles = PathLike | Mapping[str, PathLike]  # one path (may hold {chrom}), or the path of every chromosome


def genotype_files(pattern: str, chromosomes: Iterable[object]) -> dict[str, list[str]]:
    """The files of some chromosomes, each once; `{chrom}` is replaced.

    `genotypes` are the .bed, .pgen or .bgen files, `genotyped_variants` the .bim, .pvar or .bgi (a .bgen may have
    none), `genotyped_samples` the .fam, .psam or .sample (the .bgen itself where it has no .sample).
    """
    files = [Path(path) for path in dict.fromkeys(pattern.replace("{chrom}", str(chrom)) for chrom in chromosomes)]
    variants = [path for file in files for path in _variants(file)]
    return {
        "genotypes": [str(file) for file in files],
        "genotyped_variants": [str(path) for path in variants],
        "genotyped_samples": [str(samples_path(file)) for file in files],
    }


def files_by_chromosome(paths: Sequence[str], chromosomes: Sequence[str]) -> dict[str, str]:
    """The path of each chromosome: `paths` has one per chromosome in the same order, or one for all.

    >>> files_by_chromosome(["chr1.bed", "chr2.bed"], ["1", "2"])
    {'1': 'chr1.bed', '2': 'chr2.bed'}
    >>> files_by_chromosome(["all.pgen"], ["1", "2"])
    {'1': 'all.pgen', '2': 'all.pgen'}
    """
    paths = [*paths] * len(chromosomes) if len(paths) == 1 else paths
    return dict(zip(chromosomes, paths, strict=True))


def describe_files(genotype_files: GenotypeFiles) -> str:
    """Genotype files in words, for messages and provenance.

    >>> describe_files({"1": "chr1.bed", "2": "chr2.bed", "3": "chr3.bed"})
    'chr1.bed to chr3.bed'
    """
    if not isinstance(genotype_files, Mapping):
        return str(genotype_files)
    paths = list(dict.fromkeys(map(str, genotype_files.values())))
    return paths[0] if len(paths) == 1 else f"{paths[0]} to {paths[-1]}"


def samples_path(genotypes: PathLike) -> Path:
    """The file that lists the samples of a genotype file."""
    path = Path(genotypes)
    if path.suffix == ".bgen":
        return sample_path(path)
    return path.with_suffix(".psam" if path.suffix == ".pgen" else ".fam")


def sample_path(bgen: PathLike) -> Path:
    """The .sample file of a .bgen; without one the .bgen itself, which may hold the sample IDs."""
    beside = Path(bgen).with_suffix(".sample")
    return beside if beside.is_file() else Path(bgen)


def bgi_path(bgen: PathLike) -> Path:
    """The path of the index that bgenix writes for a .bgen, whether the index exists or not."""
    return Path(f"{bgen}.bgi")


def pvar_path(pgen: PathLike) -> Path:
    """The .pvar of a .pgen, or the .pvar.zst if only that exists."""
    plain = Path(pgen).with_suffix(".pvar")
    packed = plain.with_suffix(".pvar.zst")
    return packed if packed.is_file() and not plain.is_file() else plain


def _variants(file: Path) -> list[Path]:
    if file.suffix == ".bgen":
        return [path for path in [bgi_path(file)] if path.is_file()]
    return [pvar_path(file) if file.suffix == ".pgen" else file.with_suffix(".bim")]
