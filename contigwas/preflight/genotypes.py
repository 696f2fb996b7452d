"""Check genotype files by their sizes, headers, samples and variants, without reading genotype calls."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.genotypes.bed import check_bed, read_bim, require_magic
from contigwas.genotypes.bgen_index import peek_index, read_index
from contigwas.genotypes.bgen_index import read_header as read_bgen_header
from contigwas.genotypes.files import bgen_sample_path, genotype_files, pvar_path
from contigwas.genotypes.interface import on_chromosome
from contigwas.genotypes.pgen import check_pgen
from contigwas.genotypes.pgen_header import read_header as read_pgen_header
from contigwas.genotypes.plink2_tables import read_pvar
from contigwas.genotypes.reader import read_samples
from contigwas.preflight import builds
from contigwas.preflight.context import PreflightContext, Variants
from contigwas.preflight.partial_reads import SLICE_BYTES, SLICES, head, slices
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import shape

MAX_BYTES = 48 * 2**20  # larger variant tables (over all files of a source) are read in part
MAX_VARIANTS = 1_000_000  # of .bgen files with more variants only the first ones are read
HEAD = 20_000  # lines of a compressed variant table that are read
COLUMNS = ["chrom", "id", "pos", "effect_allele", "other_allele"]


def check(context: PreflightContext) -> None:
    """Check the array genotypes, the genotypes of the GWAS and of the polygenic scores, and the exome genotypes."""
    config = context.config
    chromosomes = config_settings.chromosomes(config)
    check_source(context, "genotypes.array", config["genotypes"]["array"], chromosomes, "genotypes")
    check_source(context, "gwas.genotypes", config["gwas"]["genotypes"], chromosomes, "tested genotypes")
    for stage, source in (("pgs", "scored genotypes"), ("burden", "exome")):
        pattern = config.get(stage, {}).get("genotypes")
        check_source(context, f"{stage}.genotypes", pattern, config_settings.autosomes(config), source)


def check_source(
    context: PreflightContext, key: str, pattern: str | None, chromosomes: Sequence[str], source: str
) -> None:
    """Check all files of one source of genotypes, and add its samples and variants to `context`."""
    if pattern is None:
        return
    files = genotype_files(pattern, chromosomes)
    named = [path for paths in files.values() for path in paths]
    missing = [path for path in named if not Path(path).exists()]
    if missing and config_settings.made(context.config, pattern):
        context.findings.fact(key, f"created by the run: {pattern}")
    samples = _check_samples(context, key, [path for path in files["genotyped_samples"] if path not in missing], source)
    paths = [path for path in map(Path, files["genotypes"]) if path.exists()]
    if samples is None or not paths:
        return
    _check_variants(context, key, pattern, paths, samples, chromosomes)


def _check_samples(context: PreflightContext, key: str, paths: Sequence[str], source: str) -> int | None:
    """The number of samples; None, with an error, if a file cannot be read or the files have different samples."""
    first, seen, valid = None, set(), True
    for path in paths:
        with context.findings.report_errors(key):
            valid = False  # until this file is read
            digest = _digest(Path(path))
            if digest not in seen:
                iids = pd.Index(read_samples(path)["iid"])
                if first is not None:
                    _require_same(iids, path, first, paths[0], source)
                first = iids if first is None else first
                seen.add(digest)
            valid = True
        if not valid:
            break
    if first is None or not valid:
        return None
    context.samples[source] = first
    return len(first)


def _digest(path: Path) -> bytes | str:
    """A digest of the bytes of a file; for a .bgen file, which is large and has the samples in its header, its path."""
    if path.suffix == ".bgen":
        return str(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _require_same(iids: pd.Index, path: str, first: pd.Index, other: str, source: str) -> None:
    different = len(iids.symmetric_difference(first, sort=False))
    if different:
        raise UserError(
            f"{path} ({len(iids)} samples, IDs of {shape(iids)}) and {other} ({len(first)} samples, IDs of "
            f"{shape(first)}) differ in {different} samples. All files of the {source} must have the same samples"
        )


def _check_variants(
    context: PreflightContext, key: str, pattern: str, paths: Sequence[Path], samples: int, chromosomes: Sequence[str]
) -> None:
    read_all, tables, counts, partial = _are_small(paths), [], {}, False
    for path in paths:
        chroms = [one for one in chromosomes if Path(pattern.replace("{chrom}", one)) == path]
        with context.findings.report_errors(key):
            table, count, complete = READERS[path.suffix](path, samples, read_all)
            partial |= not complete
            if complete or len(chroms) == 1:
                for chrom in chroms:
                    chosen = on_chromosome(table["chrom"], path, chrom)
                    counts[chrom] = int(chosen.sum()) if complete else count
            else:  # the part read from a file of all chromosomes may have no variant of a small chromosome
                counts["all"] = count
            tables.append(table.loc[table["chrom"].isin(chroms), COLUMNS])
    if not tables:
        return
    found = Variants(pd.concat(tables, ignore_index=True), not partial, counts)
    context.variants[key] = found
    kinds = ", ".join(sorted({path.suffix for path in paths}))
    text = f"{found.total:,} variants of {samples:,} samples in {len(paths)} {kinds} file{'s' * (len(paths) > 1)}"
    if not found.complete:
        text += f" (counted from sizes and headers; {len(found.table):,} of them checked)"
    context.findings.fact(key, text)
    context.findings.fact(
        key,
        "by chromosome: "
        + ", ".join(f"chr{one}={many:,}" if one != "all" else f"{many:,} in all" for one, many in found.counts.items()),
    )
    builds.check(context, key, found)


def _are_small(paths: Sequence[Path]) -> bool:
    """Whether the variant tables of all files can be read in seconds."""
    size = variants = 0
    for path in paths:
        try:
            if path.suffix == ".bgen":
                variants += read_bgen_header(path).variants
            else:
                size += (pvar_path(path) if path.suffix == ".pgen" else path.with_suffix(".bim")).stat().st_size
        except (UserError, OSError):
            continue  # reported when the file is read
    return size <= MAX_BYTES and variants <= MAX_VARIANTS


def _bed(path: Path, samples: int, read_all: bool) -> tuple[pd.DataFrame, int, bool]:
    """The variants of a file (all, or a part), their number, and whether all were read; as the other readers."""
    bim = path.with_suffix(".bim")
    if read_all:
        table = read_bim(bim)
        check_bed(path, len(table), samples)
        return table, len(table), True
    require_magic(path)
    stride = -(-samples // 4)
    count, remainder = divmod(path.stat().st_size - 3, stride)
    table = slices(bim, read_bim)
    size = bim.stat().st_size
    lines = max(size * len(table) / min(size, SLICES * SLICE_BYTES), 1)
    if remainder or not 0.8 < count / lines < 1.25:
        raise UserError(
            f"{path}: {path.stat().st_size} bytes, which is {count} variants{' and a remainder' if remainder else ''} "
            f"of the {samples} samples in its .fam file, but its .bim file has about {lines:.0f} lines. The file is "
            "truncated, or the three files do not belong together"
        )
    return table, count, False


def _pgen(path: Path, samples: int, read_all: bool) -> tuple[pd.DataFrame, int, bool]:
    pvar = pvar_path(path)
    if read_all:
        table = read_pvar(pvar)
        check_pgen(path, pvar, len(table), samples)
        return table, len(table), True
    count = read_pgen_header(path).variants
    check_pgen(path, pvar, count, samples)
    compressed = pvar.suffix == ".zst"
    return head(pvar, HEAD, read_pvar) if compressed else slices(pvar, read_pvar), count, False


def _bgen(path: Path, samples: int, read_all: bool) -> tuple[pd.DataFrame, int, bool]:
    header = read_bgen_header(path)
    if header.samples != samples:
        raise UserError(
            f"{path}: {header.samples} samples, but {bgen_sample_path(path)} has {samples}. The files do not belong "
            "together"
        )
    if read_all:
        return read_index(path), header.variants, True
    return peek_index(path, HEAD), header.variants, False


READERS = {".bed": _bed, ".pgen": _pgen, ".bgen": _bgen}
