"""Genotypes: sizes and headers, samples and variants, without reading a call."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.genotypes.bed import check_bed, read_bim, require_magic
from contigwas.genotypes.bgen_index import peek_index, read_index
from contigwas.genotypes.bgen_index import read_header as read_bgen_header
from contigwas.genotypes.files import genotype_files, pvar_path, sample_path
from contigwas.genotypes.interface import on_chromosome
from contigwas.genotypes.pgen import check_pgen
from contigwas.genotypes.pgen_header import read_header as read_pgen_header
from contigwas.genotypes.plink2_tables import read_pvar
from contigwas.genotypes.reader import read_samples
from contigwas.preflight import builds
from contigwas.preflight.context import Study, Variants
from contigwas.preflight.partial_reads import PLACES, SLICE, head, slices
from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import shape

WHOLE = 48 * 2**20  # bytes of tables of variants that are read whole, over all files of a source
MANY = 1_000_000  # variants of .bgen files that are read whole, from their index or by a pass
HEAD = 20_000  # lines of a packed table that are looked at
COLUMNS = ["chrom", "id", "pos", "effect_allele", "other_allele"]


def check(study: Study) -> None:
    """The array's genotypes, those that the GWAS tests, those that are scored, and the exome calls."""
    config = study.config
    of_array = config_settings.chromosomes(config)
    check_source(study, "genotypes.array", config["genotypes"]["array"], of_array, "genotypes")
    check_source(study, "gwas.genotypes", config["gwas"]["genotypes"], of_array, "tested genotypes")
    for stage, source in (("pgs", "scored genotypes"), ("burden", "exome")):
        pattern = config.get(stage, {}).get("genotypes")
        check_source(study, f"{stage}.genotypes", pattern, config_settings.autosomes(config), source)


def check_source(study: Study, key: str, pattern: str | None, chromosomes: Sequence[str], source: str) -> None:
    """All files of one source; what they hold is kept in `study`."""
    if pattern is None:
        return
    files = genotype_files(pattern, chromosomes)
    named = [path for paths in files.values() for path in paths]
    absent = [path for path in named if not Path(path).exists()]
    if absent and config_settings.made(study.config, pattern):
        study.findings.fact(key, f"made by the run: {pattern}")
    samples = _samples(study, key, [path for path in files["genotyped_samples"] if path not in absent], source)
    paths = [path for path in map(Path, files["genotypes"]) if path.exists()]
    if samples is None or not paths:
        return
    _variants(study, key, pattern, paths, samples, chromosomes)


def _samples(study: Study, key: str, paths: Sequence[str], source: str) -> int | None:
    """How many samples the files name; None, with errors, where they cannot be read or name different ones."""
    first, seen, fine = None, {}, True
    for path in paths:
        with study.findings.reported(key):
            fine = False  # until this file is read
            mark = _digest(Path(path))
            if mark not in seen:
                iids = pd.Index(read_samples(path)["iid"])
                if first is not None:
                    _require_same(iids, path, first, paths[0], source)
                first = iids if first is None else first
                seen[mark] = True
            fine = True
        if not fine:
            break
    if first is None or not fine:
        return None
    study.samples[source] = first
    return len(first)


def _digest(path: Path) -> bytes | str:
    """The same for files of the same bytes; a .bgen, which names samples only in its header, is its own."""
    if path.suffix == ".bgen":
        return str(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _require_same(iids: pd.Index, path: str, first: pd.Index, other: str, source: str) -> None:
    alone = len(iids.symmetric_difference(first, sort=False))
    if alone:
        raise UserError(
            f"{path} ({len(iids)} samples, IDs of {shape(iids)}) and {other} ({len(first)} samples, IDs of "
            f"{shape(first)}) differ in {alone} samples: all files of the {source} must name the same samples"
        )


def _variants(
    study: Study, key: str, pattern: str, paths: Sequence[Path], samples: int, chromosomes: Sequence[str]
) -> None:
    whole, tables, counts, sampled = _small(paths), [], {}, False
    for path in paths:
        here = [one for one in chromosomes if Path(pattern.replace("{chrom}", one)) == path]
        with study.findings.reported(key):
            table, count, complete = READERS[path.suffix](path, samples, whole)
            sampled |= not complete
            if complete or len(here) == 1:
                for chrom in here:
                    chosen = on_chromosome(table["chrom"], path, chrom)
                    counts[chrom] = int(chosen.sum()) if complete else count
            else:  # a sample of a file of all chromosomes may miss a small one
                counts["all"] = count
            tables.append(table.loc[table["chrom"].isin(here), COLUMNS])
    if not tables:
        return
    found = Variants(pd.concat(tables, ignore_index=True), not sampled, counts)
    study.variants[key] = found
    kinds = ", ".join(sorted({path.suffix for path in paths}))
    reported = f"{found.total:,} variants of {samples:,} samples in {len(paths)} {kinds} file{'s' * (len(paths) > 1)}"
    if not found.whole:
        reported += f" (counted from sizes and headers; {len(found.table):,} of them looked at)"
    study.findings.fact(key, reported)
    study.findings.fact(
        key,
        "by chromosome: "
        + ", ".join(f"chr{one}={many:,}" if one != "all" else f"{many:,} in all" for one, many in found.counts.items()),
    )
    builds.check(study, key, found)


def _small(paths: Sequence[Path]) -> bool:
    """Whether the tables of variants can be read whole in seconds."""
    size = variants = 0
    for path in paths:
        try:
            if path.suffix == ".bgen":
                variants += read_bgen_header(path).variants
            else:
                size += (pvar_path(path) if path.suffix == ".pgen" else path.with_suffix(".bim")).stat().st_size
        except (UserError, OSError):
            continue  # it is reported where the file is read
    return size <= WHOLE and variants <= MANY


def _bed(path: Path, samples: int, whole: bool) -> tuple[pd.DataFrame, int, bool]:
    """Variants (all, or a sample), how many the file holds, and whether these are all; the same for every reader."""
    bim = path.with_suffix(".bim")
    if whole:
        table = read_bim(bim)
        check_bed(path, len(table), samples)
        return table, len(table), True
    require_magic(path)
    stride = -(-samples // 4)
    count, rest = divmod(path.stat().st_size - 3, stride)
    table = slices(bim, read_bim)
    size = bim.stat().st_size
    lines = max(size * len(table) / min(size, PLACES * SLICE), 1)
    if rest or not 0.8 < count / lines < 1.25:
        raise UserError(
            f"{path} has {path.stat().st_size} bytes: with the {samples} samples of its .fam that is {count} variants"
            f"{' and a rest' if rest else ''}, where its .bim has about {lines:.0f} lines: it is cut short, or the "
            "three files do not belong together"
        )
    return table, count, False


def _pgen(path: Path, samples: int, whole: bool) -> tuple[pd.DataFrame, int, bool]:
    pvar = pvar_path(path)
    if whole:
        table = read_pvar(pvar)
        check_pgen(path, pvar, len(table), samples)
        return table, len(table), True
    count = read_pgen_header(path).variants
    check_pgen(path, pvar, count, samples)
    packed = pvar.suffix == ".zst"
    return head(pvar, HEAD, read_pvar) if packed else slices(pvar, read_pvar), count, False


def _bgen(path: Path, samples: int, whole: bool) -> tuple[pd.DataFrame, int, bool]:
    header = read_bgen_header(path)
    if header.samples != samples:
        raise UserError(
            f"{path} holds {header.samples} samples, where {sample_path(path)} names {samples}: the files do not belong "
            "together"
        )
    if whole:
        return read_index(path), header.variants, True
    return peek_index(path, HEAD), header.variants, False


READERS = {".bed": _bed, ".pgen": _pgen, ".bgen": _bgen}
