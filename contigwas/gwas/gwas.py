"""GWAS of one chromosome: every feature on every variant, in one pass over the genotypes."""

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
BLOCK_GENOTYPES = 2**23  # a block is read at once and tested by one thread


@dataclass(frozen=True)
class Settings:
    """Settings of the association tests.

    Attributes:
        missing: treatment of missing calls: `exact` (leave the sample out) or `mean` (impute the mean).
        tests: the tests over features, some of `OMNIBUS`.
        min_ac: minimum minor-allele count among the samples with a call.
        maf, info: minimum minor-allele frequency, and minimum MaCH r2 of dosages, among the tested samples.
        columns: numbers to store for every feature, some of `NUMBERS`; None is all.
        max_p: effects with a larger p-value are stored as missing; None keeps all.
        build: genome build, which defines the pseudo-autosomal regions of X.
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
        """Return the settings of the config block `gwas`, which the config check validated, with `build`."""
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
    """Return the device of a job with `gpus` allocated GPUs: cuda, or cpu if there is none or torch cannot use it."""
    if gpus and not torch.cuda.is_available():
        log.warning("torch cannot use a GPU: the tests run on the CPU instead")
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
    """Test every feature on every variant of `chrom` that passed quality control, and write one row per variant.

    Args:
        genotype_files: the genotypes (.bed, .pgen or .bgen).
        chrom: chromosome.
        variants: quality control of the chromosome; None tests all variants.
        phenotypes: Parquet table with `iid` and one numeric column per feature.
        covariates: Parquet table with `iid` and numeric columns.
        settings: the settings of `Settings.of`. Variants below its allele frequency or imputation quality among the
            tested samples are left out and counted.
        output: GWAS table in order of position, with the columns of docs/outputs.md. Features beyond the first 256 are
            in `output.features_folder(output)`. The column `flag` says why a variant could not be tested.
        output_summary: histograms of -log10 p of all tests.
        offsets: REGENIE's list of leave-one-chromosome-out predictions, which are subtracted from the features.
        threads: CPU threads. They do not change the results.
        device: cpu or cuda. It changes only the last digits of the results.
        block: variants that are read at a time. It does not change the results.

    On X outside the pseudo-autosomal regions males count 0 or 2, and sex is a covariate. Raises UserError if the files
    do not match, have no sample in common, or leave nothing to test.
    """
    options = Settings.of(settings)
    genotypes = open_genotypes(genotype_files, chrom, threads)
    samples = tested_samples(genotypes, phenotypes, covariates)
    names = list(samples.features.columns)
    reserved = [name for name in names if name in OMNIBUS]
    if reserved:
        raise UserError(f"{phenotypes}: a feature has the name of a test, {reserved[0]}. Rename the feature")
    test_variants = Variants(genotypes, variants_to_test(genotypes, variants), samples, options.build)
    table, columns = test_variants.covariates(samples)
    predicted = read_offsets(offsets, chrom, names, samples.features.index) if offsets else None
    regression = design(table, columns, samples.features.to_numpy(np.float64), names, predicted)
    tester = Tester(
        regression,
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
        "covariates": regression.covariates,
        "missing": options.missing,
        "maf": options.maf,
        "info": options.info if genotypes.has_dosages else None,
        "max_p": options.max_p,
        "offsets": offsets is not None,
    }
    rare = badly_imputed = 0
    flags = np.zeros(len(FLAGS), np.int64)
    table_options = {
        "features": names,
        "partial": tester.partial,
        "tests": tester.tests,
        "columns": options.columns,
        "min_log10p": None if options.max_p is None else -np.log10(options.max_p),
    }
    with (
        gwas_table(output, notes, **table_options) as tables,
        tqdm(total=len(test_variants), desc=f"GWAS, chromosome {chrom}", unit=" variants", disable=None) as progress,
    ):
        blocks = test_variants.blocks(block or max(BLOCK_GENOTYPES // len(samples.rows), 1))
        limits = Limits(options.maf, options.info)
        for found in scan(blocks, tester, histogram, limits, test_variants.males, threads or 1):
            flags += np.bincount(found.flag, minlength=len(FLAGS))
            described = {name: values[found.places] for name, values in test_variants.identity.items()}
            described |= {"eaf": found.eaf, "n": found.n, "flag": FLAGS[found.flag]}
            tables.append(described, found.numbers, found.partial_n, found.omnibus)
            rare, badly_imputed = rare + found.rare, badly_imputed + found.badly_imputed
            progress.update(len(found.places) + found.rare + found.badly_imputed)
        notes |= {"variants": tables.rows, "variants_below_maf": rare, "variants_below_info": badly_imputed}
        notes["male_heterozygotes"] = test_variants.hets
        histogram.write(output_summary)
    _log_summary(chrom, notes, options, flags, tables.emptied)


def _log_summary(
    chrom: object, notes: Mapping[str, object], options: Settings, flags: np.ndarray, emptied: int
) -> None:
    """Log the numbers of tested, filtered and flagged variants."""
    log.info("chromosome %s: %d variants tested, %d left out with a minor-allele frequency below %g in the %d tested "
             "samples", chrom, notes["variants"], notes["variants_below_maf"], options.maf,
             notes["n_samples"])  # fmt: skip
    if notes["info"] is not None:
        log.info("chromosome %s: %d variants left out with an imputation r2 below %g", chrom,
                 notes["variants_below_info"], options.info)  # fmt: skip
    if notes["male_heterozygotes"]:
        log.warning("chromosome %s: %d heterozygous calls of males on X are set to missing", chrom,
                    notes["male_heterozygotes"])  # fmt: skip
    if options.max_p is not None:
        log.info("chromosome %s: %d effects with p above %g are stored as missing", chrom, emptied, options.max_p)
    for name, number in zip(FLAGS[1:], flags[1:], strict=True):
        if number:
            log.info("chromosome %s: %d variants are flagged %s", chrom, number, name)
