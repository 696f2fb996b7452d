"""Quality control of variants, and the counts for the quality control of samples."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.hwe import hwe_exact
from contigwas.genotypes.reader import GenotypeFiles, Genotypes, open_genotypes
from contigwas.genotypes.sex import code_males, frequencies, x_linked
from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.runtime.errors import UserError
from contigwas.samples.candidates import analysed, read_candidates
from contigwas.tables.sample_ids import require_overlap, rows_of

log = logging.getLogger(__name__)


def variant_qc(
    genotype_files: GenotypeFiles,
    chrom: object,
    candidates: PathLike,
    settings: Mapping[str, object],
    build: str,
    output_variants: PathLike,
    output_samples: PathLike,
) -> None:
    """Check every variant of a chromosome in the candidates that have genotypes (and are in `samples.keep`).

    `settings` has `call_rate` (minimum share of samples called), `maf`, `hwe` (minimum p-value of the exact test;
    `hwe_midp` selects the mid-p version) and `info` (minimum imputation quality, MaCH's r², of a file with dosages).

    `output_variants` has one row per variant, in file order: `chrom pos id effect_allele other_allele call_rate af
    hwe_p info kept reason index`. af is the frequency of the effect allele. info is NaN for hard calls. reason is the
    first that applies of `duplicate`, `call rate`, `maf`, `hwe` and `info`. index is the position in
    `Genotypes.variants`. All statistics except info come from the hard calls.

    On X outside the pseudo-autosomal regions of `build` (see `sex`), heterozygous calls of males are set to missing and
    counted. The call rate is that of samples of known sex, and a male has one allele. The exact test uses females only,
    as in plink1.9 --hardy (the test of plink2 on X also uses males).

    `output_samples` has one row per sample: `iid sex called variants hets expected`. These are counts over the variants
    that pass: called variants, all variants, heterozygous calls, and the expected number of heterozygous calls,
    Σ2p(1-p) over the called variants. On X, hets and expected exclude the pseudo-autosomal regions, and the
    heterozygous calls of males are counted before they are set to missing. The number of variants per reason is stored
    in `attrs`, and `samples_qc` reports it if no variant is left. Raises UserError for malformed genotypes, and when no
    candidate has genotypes.
    """
    genotypes = open_genotypes(genotype_files, chrom)
    analysed_candidates = analysed(read_candidates(candidates))
    iids = analysed_candidates["iid"]
    require_overlap(iids, genotypes.samples["iid"], f"the candidates to analyse ({candidates})", str(genotypes.path))
    samples = _sample_rows(iids, genotypes, candidates)
    log.info(
        "chromosome %s: %d of the %d samples of the genotypes are used", chrom, len(samples), len(genotypes.samples)
    )

    sexes = _sexes(
        analysed_candidates["sex"].to_numpy(), x_linked(chromosome(chrom), genotypes.variants["pos"], build), chrom
    )

    table = genotypes.variants[["chrom", "pos", "id", "effect_allele", "other_allele"]].copy()
    table[["call_rate", "af", "hwe_p", "info"]] = np.nan
    table["reason"] = np.where(_is_duplicate(table), "duplicate", "")
    called, hets, variants, errors = np.zeros(len(samples), np.int64), np.zeros(len(samples), np.int64), 0, 0
    expected = np.zeros(len(samples))
    for part, uncoded in genotypes.blocks(np.arange(len(table)), samples):
        linked = sexes.x_linked[part]
        block, n_hets = code_males(uncoded, sexes.male, sexes.unknown, linked)
        errors += n_hets
        checked = _check(block, table["reason"].to_numpy()[part], settings, sexes, linked)
        if genotypes.has_dosages:
            checked = _check_info(checked, genotypes.dosages(part, samples), settings["info"], sexes, linked)
        table.loc[part, checked.columns] = checked.to_numpy(dtype=object)
        passes = checked["reason"].to_numpy() == ""
        called += np.count_nonzero(block[:, passes] >= 0, axis=1)
        variants += int(passes.sum())
        counted = passes & linked if sexes.x_linked.any() else passes
        hets += np.count_nonzero(uncoded[:, counted] == 1, axis=1)
        expected += expected_hets(uncoded[:, counted], checked["af"].to_numpy()[counted])
    table = table.astype({"call_rate": np.float32, "af": np.float32, "hwe_p": np.float64, "info": np.float32})
    table["kept"] = table["reason"] == ""
    table["index"] = np.arange(len(table), dtype=np.int32)

    if sexes.x_linked.any():
        log.info("chromosome %s: %d heterozygous calls of males were set to missing", chrom, errors)
    reasons = table.loc[~table["kept"], "reason"].value_counts().sort_index().to_dict()
    reported = ", ".join(f"{count} {why}" for why, count in reasons.items()) or "none"
    log.info("chromosome %s: %d of %d variants kept; dropped: %s", chrom, variants, len(table), reported)
    counts = {"called": called, "variants": variants, "hets": hets, "expected": expected}
    counts = pd.DataFrame({"iid": iids.to_numpy(), "sex": analysed_candidates["sex"].to_numpy(np.int8), **counts})
    counts.attrs["reasons"] = {"variants": len(table), **{f"dropped: {why}": n for why, n in reasons.items()}}
    columns = ["chrom", "pos", "id", "effect_allele", "other_allele", "call_rate", "af", "hwe_p", "info"]
    write_parquet(table[[*columns, "kept", "reason", "index"]], output_variants)
    write_parquet(counts, output_samples)


def _sample_rows(iids: pd.Series, genotypes: Genotypes, candidates: PathLike) -> np.ndarray:
    """Return the row of each IID in the genotypes. Raises UserError when a sample is missing."""
    rows = rows_of(iids, genotypes.samples["iid"])
    if (rows < 0).any():
        raise UserError(
            f"{genotypes.path}: {(rows < 0).sum()} of the {len(rows)} samples of {candidates} are missing. All "
            "files of genotypes.array must contain the same samples."
        )
    return rows


def _is_duplicate(table: pd.DataFrame) -> np.ndarray:
    """Return whether an earlier variant has the same ID (unless it is `.`), or the same position and alleles: bool."""
    first = table[["effect_allele", "other_allele"]].min(axis=1)
    second = table[["effect_allele", "other_allele"]].max(axis=1)
    same_place = pd.DataFrame({"pos": table["pos"], "first": first, "second": second}).duplicated()
    return (same_place | (table["id"].duplicated() & (table["id"] != "."))).to_numpy()


@dataclass(frozen=True)
class _Sexes:
    """Sex of the samples and X-linked variants: male and unknown are bool (samples,), x_linked is bool (variants,)."""

    male: np.ndarray
    unknown: np.ndarray
    x_linked: np.ndarray


def _sexes(sex: np.ndarray, linked: np.ndarray, chrom: object) -> _Sexes:
    """Return the sex of the samples and the X-linked variants of a chromosome.

    Raises UserError when there are X-linked variants and the sex of all samples is unknown.
    """
    unknown = ~np.isin(sex, (1, 2))
    if linked.any():
        if unknown.all():
            raise UserError(
                f"genotypes.array: the sex of all samples is unknown, so chromosome {chrom} cannot be analysed. "
                "Fill in the sex column of the .fam, .psam or .sample file, or remove X from genotypes.chromosomes."
            )
        log.info("chromosome %s: %d variants outside the pseudo-autosomal regions; %d males, %d females, %d samples of "
                 "unknown sex, which are set to missing there", chrom, linked.sum(), (sex == 1).sum(), (sex == 2).sum(),
                 unknown.sum())  # fmt: skip
    return _Sexes(sex == 1, unknown, linked)


def _check(
    block: np.ndarray, reason: np.ndarray, settings: Mapping[str, object], sexes: _Sexes, linked: np.ndarray
) -> pd.DataFrame:
    """Compute call rate, allele frequency, Hardy-Weinberg p-value and reason of the variants of a block.

    `block` is int8 (samples, variants), as coded by `code_males`. `linked` is bool (variants,), True if X-linked.
    """
    af, called = frequencies(block, sexes.male, linked)
    call_rate = called / np.where(linked, block.shape[0] - sexes.unknown.sum(), block.shape[0])
    hwe_p = np.empty(len(called))
    for subset, samples in ((~linked, None), (linked, ~sexes.male)):
        calls = block if subset.all() else block[:, subset]
        calls = calls if samples is None else calls[samples]
        hom_other, het, hom_effect = (np.count_nonzero(calls == dosage, axis=0) for dosage in (0, 1, 2))
        hwe_p[subset] = hwe_exact(het, hom_other, hom_effect, settings["hwe_midp"])
    maf = np.minimum(af, 1 - af)
    for why, fails in (
        ("call rate", (call_rate < settings["call_rate"]) | (called == 0)),
        ("maf", maf < settings["maf"]),
        ("hwe", hwe_p < settings["hwe"]),
    ):
        reason = np.where((reason == "") & fails, why, reason)
    return pd.DataFrame({"call_rate": call_rate, "af": af, "hwe_p": hwe_p, "reason": reason})


def _check_info(
    checked: pd.DataFrame, dosages: np.ndarray, min_info: float, sexes: _Sexes, linked: np.ndarray
) -> pd.DataFrame:
    """Add the `info` of the dosages (samples, variants) to the result of `_check`, and the reason if it is too low."""
    values, _ = code_males(dosages, sexes.male, sexes.unknown, linked)
    info = imputation_quality(values, sexes.male, linked)
    reason = checked["reason"].to_numpy()
    return checked.assign(info=info, reason=np.where((reason == "") & ~(info >= min_info), "info", reason))


def imputation_quality(block: np.ndarray, male: np.ndarray, linked: np.ndarray) -> np.ndarray:
    """Compute MaCH's r² (Li et al. 2010, doi:10.1002/gepi.20533): float64 (variants,), 0 if monomorphic.

    This is the variance of the dosages divided by the variance under Hardy-Weinberg proportions. `block` is float32
    (samples, variants), NaN where missing. A male's dosage of an X-linked variant is 0 to 2, and its expected variance
    is twice that of a female's.
    """
    frequency, called = frequencies(block, male, linked)
    called = np.maximum(called, 1)
    males = np.where(linked, np.count_nonzero(~np.isnan(block[male]), axis=0), 0)
    mean = np.nansum(block, axis=0, dtype=np.float64) / called
    variance = np.nansum((block - mean) ** 2, axis=0, dtype=np.float64) / called
    expected = 2 * frequency * (1 - frequency) * (1 + males / called)
    return np.divide(variance, expected, out=np.zeros_like(mean), where=expected > 0)


def expected_hets(block: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Compute Σ2p(1-p) over the called variants of each sample: float64 (samples,).

    `block` is int8 (samples, variants), negative where missing. `frequency` is (variants,).
    """
    each = 2 * frequency.astype(np.float64) * (1 - frequency.astype(np.float64))
    sample, variant = np.nonzero(block < 0)
    return each.sum() - np.bincount(sample, each[variant], minlength=block.shape[0])
