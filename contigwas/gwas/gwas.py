"""The GWAS of one chromosome: every feature on every variant, in one pass over the genotypes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.gwas.design import design
from contigwas.gwas.engine import FLAGS
from contigwas.gwas.offsets import read_offsets
from contigwas.gwas.output import OMNIBUS, gwas_table
from contigwas.gwas.samples import tested_samples
from contigwas.gwas.scan import Limits, scan
from contigwas.gwas.summary import Histogram
from contigwas.gwas.tester import Tester
from contigwas.gwas.variants import Variants, variants_to_test
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)
CELLS = 2**23  # genotypes of a block: read at once, tested by one thread


@dataclass(frozen=True)
class Settings:
    """How to test.

    Attributes:
        missing: what a missing call is, `exact` (the sample is left out) or `mean`.
        tests: over features.
        min_ac: least minor-allele count among the samples called.
        maf, info: least minor-allele frequency, and least MaCH r2 of dosages, among the tested samples.
        columns: which numbers of every feature to store; None is all.
        max_p: effects with a larger p are left empty; None keeps all.
        build: of the genome, which tells where X is pseudo-autosomal.
    """

    missing: str = "exact"
    tests: tuple[str, ...] = OMNIBUS
    min_ac: int = 0
    maf: float = 0.0
    info: float = 0.0
    columns: tuple[str, ...] | None = None
    max_p: float | None = None
    build: str = "GRCh37"

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Settings":
        """From the config's block `gwas`, which the schema has validated, with genotypes.build as `build`."""
        columns = settings.get("columns")
        return cls(
            settings["missing"],
            tuple(settings["tests"]),
            int(settings["min_ac"]),
            float(settings["qc"]["maf"]),
            float(settings["qc"].get("info", 0.0)),
            None if columns is None else tuple(columns),
            settings.get("max_p"),
            settings.get("build", "GRCh37"),
        )


def device(gpus: int) -> str:
    """The device for a job that was given `gpus` GPUs: cuda, or cpu where it was given none, or where none is there."""
    if gpus and not torch.cuda.is_available():
        log.warning("no GPU that torch can use: the CPU tests instead")
    return "cuda" if gpus and torch.cuda.is_available() else "cpu"


def write_gwas(
    genotype_files: GenotypeFiles,
    chrom: object,
    variants: PathLike | None,
    phenotypes: PathLike,
    covariates: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
    output_summary: PathLike,
    *,
    offsets: PathLike | None = None,
    threads: int | None = None,
    device: str = "cpu",
    block: int | None = None,
) -> None:
    """Test every feature on every kept variant of `chrom`: one row a variant, in order of position.

    `genotype_files` are .bed, .pgen or .bgen files; `variants` is the quality control of the chromosome (None: all
    variants are tested); `phenotypes` and `covariates` are tables with `iid` and numeric columns; `offsets` is
    REGENIE's list of leave-one-chromosome-out predictions, which are taken out of the features. `settings` are those
    of `Settings`; variants below its frequency or imputation quality among the tested samples are left out and counted.
    `threads` work on the CPU, `device` is cpu or cuda, `block` variants are read at a time: none of them changes the
    results, a device but in their last digits.

    `output` has the columns of docs/files.md; further features lie in `output.features_folder(output)`; a row that
    cannot be tested says why in `flag`. `output_summary` holds the histograms of -log10 p of all tests. On X outside
    the pseudo-autosomal regions males count 0 or 2, and sex is a covariate. Raises UserError when files do not belong
    together, share nobody, or leave nothing to test.
    """
    options = Settings.of(settings)
    genotypes = open_genotypes(genotype_files, chrom, threads)
    samples = tested_samples(genotypes, phenotypes, covariates)
    names = list(samples.features.columns)
    reserved = [name for name in names if name in OMNIBUS]
    if reserved:
        raise UserError(f"{phenotypes}: a feature is called {reserved[0]}, which is the name of a test: rename it")
    tested = Variants(genotypes, variants_to_test(genotypes, variants), samples, options.build)
    table, columns = tested.covariates(samples)
    predicted = read_offsets(offsets, chrom, names, samples.features.index) if offsets else None
    plan = design(table, columns, samples.features.to_numpy(np.float64), names, predicted)
    tester = Tester(
        plan,
        names,
        len(samples.rows),
        tests=options.tests,
        missing=options.missing,
        min_ac=options.min_ac,
        device=device,
    )
    histogram = Histogram([*names, *tester.tests], tester.device)
    notes = {
        "n_samples": len(samples.rows),
        "features": len(names),
        "covariates": plan.covariates,
        "missing": options.missing,
        "maf": options.maf,
        "info": options.info if genotypes.has_dosages else None,
        "max_p": options.max_p,
        "offsets": offsets is not None,
    }
    rare = badly_imputed = 0
    flags = np.zeros(len(FLAGS), np.int64)
    form = {
        "features": names,
        "partial": tester.partial,
        "tests": tester.tests,
        "columns": options.columns,
        "least_log10p": None if options.max_p is None else -np.log10(options.max_p),
    }
    with (
        gwas_table(output, notes, **form) as tables,
        tqdm(total=len(tested), desc=f"gwas, chromosome {chrom}", unit=" variants", disable=None) as progress,
    ):
        blocks = tested.blocks(block or max(CELLS // len(samples.rows), 1))
        limits = Limits(options.maf, options.info)
        for found in scan(blocks, tester, histogram, limits, tested.males, threads or 1):
            flags += np.bincount(found.flag, minlength=len(FLAGS))
            described = {name: values[found.places] for name, values in tested.identity.items()}
            described |= {"eaf": found.eaf, "n": found.n, "flag": FLAGS[found.flag]}
            tables.append(described, found.numbers, found.partial_n, found.omnibus)
            rare, badly_imputed = rare + found.rare, badly_imputed + found.badly_imputed
            progress.update(len(found.places) + found.rare + found.badly_imputed)
        notes |= {"variants": tables.rows, "variants_below_maf": rare, "variants_below_info": badly_imputed}
        notes["male_heterozygotes"] = tested.hets
        histogram.write(output_summary)
    _tell(chrom, notes, options, flags, tables.emptied)


def _tell(chrom: object, notes: Mapping[str, object], options: Settings, flags: np.ndarray, emptied: int) -> None:
    log.info("chromosome %s: %d variants tested, %d left out below a minor-allele frequency of %g among the %d tested "
             "samples", chrom, notes["variants"], notes["variants_below_maf"], options.maf, notes["samples"])  # fmt: skip
    if notes["info"] is not None:
        log.info("chromosome %s: %d variants left out below an imputation r2 of %g", chrom,
                 notes["variants_below_info"], options.info)  # fmt: skip
    if notes["male_heterozygotes"]:
        log.warning("chromosome %s: %d heterozygous calls of males are taken as missing", chrom,
                    notes["male_heterozygotes"])  # fmt: skip
    if options.max_p is not None:
        log.info("chromosome %s: %d effects with p above %g are left empty", chrom, emptied, options.max_p)
    for name, number in zip(FLAGS[1:], flags[1:], strict=True):
        if number:
            log.info("chromosome %s: %d variants are %s", chrom, number, name)
