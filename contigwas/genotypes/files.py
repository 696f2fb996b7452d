"""Paths of the variant and sample files that belong to a genotype file. No file is opened."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from contigwas.runtime.atomic_files import PathLike

SUFFIXES = (".bed", ".pgen", ".bgen")
GenotypeFiles = PathLike | Mapping[str, PathLike]  # one path (may hold {chrom}), or the path of every chromosome


def genotype_files(pattern: str, chromosomes: Iterable[object]) -> dict[str, list[str]]:
    """Return the distinct genotype files of `chromosomes`, with `{chrom}` replaced in `pattern`.

    `genotypes` are the .bed, .pgen or .bgen files. `genotyped_variants` are the .bim, .pvar or .bgi files (a .bgen may
    have none). `genotyped_samples` are the .fam, .psam or .sample files (a .bgen itself if it has no .sample).
    """
    files = [Path(path) for path in dict.fromkeys(pattern.replace("{chrom}", str(chrom)) for chrom in chromosomes)]
    variants = [path for file in files for path in _variant_files(file)]
    return {
        "genotypes": [str(file) for file in files],
        "genotyped_variants": [str(path) for path in variants],
        "genotyped_samples": [str(sample_file_path(file)) for file in files],
    }


def files_by_chromosome(paths: Sequence[str], chromosomes: Sequence[str]) -> dict[str, str]:
    """Return the path of each chromosome; `paths` has one per chromosome in the same order, or one for all.

    >>> files_by_chromosome(["chr1.bed", "chr2.bed"], ["1", "2"])
    {'1': 'chr1.bed', '2': 'chr2.bed'}
    >>> files_by_chromosome(["all.pgen"], ["1", "2"])
    {'1': 'all.pgen', '2': 'all.pgen'}
    """
    paths = [*paths] * len(chromosomes) if len(paths) == 1 else paths
    return dict(zip(chromosomes, paths, strict=True))


def describe_files(genotype_files: GenotypeFiles) -> str:
    """Describe genotype files in words, for messages and provenance.

    >>> describe_files({"1": "chr1.bed", "2": "chr2.bed", "3": "chr3.bed"})
    'chr1.bed to chr3.bed'
    """
    if not isinstance(genotype_files, Mapping):
        return str(genotype_files)
    paths = list(dict.fromkeys(map(str, genotype_files.values())))
    return paths[0] if len(paths) == 1 else f"{paths[0]} to {paths[-1]}"


def sample_file_path(genotypes: PathLike) -> Path:
    """Return the path of the file with the sample IDs of a genotype file."""
    path = Path(genotypes)
    if path.suffix == ".bgen":
        return bgen_sample_path(path)
    return path.with_suffix(".psam" if path.suffix == ".pgen" else ".fam")


def bgen_sample_path(bgen: PathLike) -> Path:
    """Return the path of the .sample file of a .bgen, or the .bgen itself, which may contain IDs, if none exists."""
    sample_file = Path(bgen).with_suffix(".sample")
    return sample_file if sample_file.is_file() else Path(bgen)


def bgi_path(bgen: PathLike) -> Path:
    """Return the path of the index that bgenix writes for a .bgen, whether it exists or not."""
    return Path(f"{bgen}.bgi")


def pvar_path(pgen: PathLike) -> Path:
    """Return the path of the .pvar of a .pgen, or of the .pvar.zst if only that exists."""
    plain = Path(pgen).with_suffix(".pvar")
    compressed = plain.with_suffix(".pvar.zst")
    return compressed if compressed.is_file() and not plain.is_file() else plain


def _variant_files(file: Path) -> list[Path]:
    """Return the paths of the variant files of a genotype file."""
    if file.suffix == ".bgen":
        return [path for path in [bgi_path(file)] if path.is_file()]
    return [pvar_path(file) if file.suffix == ".pgen" else file.with_suffix(".bim")]
