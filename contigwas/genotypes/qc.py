"""Quality control of variants; what it counts of samples on the way."""

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
    """Check every variant of a chromosome among the candidates that are in the genotypes (and in `samples.keep`).

    `settings` has `call_rate` (least share of samples called), `maf`, `hwe` (least p of the exact test; `hwe_midp` takes
    its mid-p variant) and `info` (least imputation quality, MaCH's r², of a file with dosages).
    `output_variants`: one row a variant of the file, file order: `chrom pos id effect_allele other_allele call_rate
    af hwe_p info kept reason index`; af is the effect allele's frequency, info NaN for hard calls, reason the first
    that applies of `duplicate`, `call rate`, `maf`, `hwe`, `info`, and index the position in `Genotypes.variants`. On X
    outside the pseudo-autosomal regions of `build` (see `sex`): males' heterozygous calls are missing and counted; the
    call rate is that of samples of known sex; a male counts one allele; the exact test is among females alone, as in
    plink1.9 --hardy (plink2's test on X uses males as well). Everything but info is counted on the hard calls.
    `output_samples`: `iid sex called variants hets expected`, over the kept variants: calls, heterozygous ones, and
    those to be expected of the called variants from their frequencies, Σ2p(1-p). On X, hets and expected are those
    outside the pseudo-autosomal regions, a male's before they become missing. The number of variants for each reason
    travels in its `attrs`, from which `samples_qc` tells why nothing is left. Raises UserError for malformed genotypes,
    and when no candidate is in them.
    """
    bed = open_genotypes(genotype_files, chrom)
    candidate = analysed(read_candidates(candidates))
    named = candidate["iid"]
    require_overlap(named, bed.samples["iid"], f"the candidates to analyse ({candidates})", str(bed.path))
    samples = _rows(named, bed, candidates)
    log.info(
        "chromosome %s: %d of the %d samples of the genotypes are looked at", chrom, len(samples), len(bed.samples)
    )

    sexes = _sexes(candidate["sex"].to_numpy(), x_linked(chromosome(chrom), bed.variants["pos"], build), chrom)

    table = bed.variants[["chrom", "pos", "id", "effect_allele", "other_allele"]].copy()
    table[["call_rate", "af", "hwe_p", "info"]] = np.nan
    table["reason"] = np.where(_repeats(table), "duplicate", "")
    called, hets, variants, errors = np.zeros(len(samples), np.int64), np.zeros(len(samples), np.int64), 0, 0
    expected = np.zeros(len(samples))
    for part, raw in bed.blocks(np.arange(len(table)), samples):
        linked = sexes.x_linked[part]
        block, lost = code_males(raw, sexes.male, sexes.unknown, linked)
        errors += lost
        checked = _check(block, table["reason"].to_numpy()[part], settings, sexes, linked)
        if bed.has_dosages:
            checked = _check_info(checked, bed.dosages(part, samples), settings["info"], sexes, linked)
        table.loc[part, checked.columns] = checked.to_numpy(dtype=object)
        stays = checked["reason"].to_numpy() == ""
        called += np.count_nonzero(block[:, stays] >= 0, axis=1)
        variants += int(stays.sum())
        judged = stays & linked if sexes.x_linked.any() else stays
        hets += np.count_nonzero(raw[:, judged] == 1, axis=1)
        expected += expected_hets(raw[:, judged], checked["af"].to_numpy()[judged])
    table = table.astype({"call_rate": np.float32, "af": np.float32, "hwe_p": np.float64, "info": np.float32})
    table["kept"] = table["reason"] == ""
    table["index"] = np.arange(len(table), dtype=np.int32)

    if sexes.x_linked.any():
        log.info("chromosome %s: %d heterozygous calls of males became missing", chrom, errors)
    reasons = table.loc[~table["kept"], "reason"].value_counts().sort_index().to_dict()
    reported = ", ".join(f"{count} {why}" for why, count in reasons.items()) or "none"
    log.info("chromosome %s: %d of %d variants kept; dropped: %s", chrom, variants, len(table), reported)
    counts = {"called": called, "variants": variants, "hets": hets, "expected": expected}
    counts = pd.DataFrame({"iid": named.to_numpy(), "sex": candidate["sex"].to_numpy(np.int8), **counts})
    counts.attrs["reasons"] = {"variants": len(table), **{f"dropped: {why}": n for why, n in reasons.items()}}
    columns = ["chrom", "pos", "id", "effect_allele", "other_allele", "call_rate", "af", "hwe_p", "info"]
    write_parquet(table[[*columns, "kept", "reason", "index"]], output_variants)
    write_parquet(counts, output_samples)


def _rows(named: pd.Series, bed: Genotypes, candidates: PathLike) -> np.ndarray:
    rows = rows_of(named, bed.samples["iid"])
    if (rows < 0).any():
        raise UserError(
            f"{bed.path} lacks {(rows < 0).sum()} of the {len(rows)} samples of {candidates}: every file of "
            "genotypes.array must name the same samples"
        )
    return rows


def _repeats(table: pd.DataFrame) -> np.ndarray:
    """Whether an earlier variant has the same id (unless it is `.`), or the same position and alleles. bool."""
    first = table[["effect_allele", "other_allele"]].min(axis=1)
    second = table[["effect_allele", "other_allele"]].max(axis=1)
    same_place = pd.DataFrame({"pos": table["pos"], "first": first, "second": second}).duplicated()
    return (same_place | (table["id"].duplicated() & (table["id"] != "."))).to_numpy()


@dataclass(frozen=True)
class _Sexes:
    """male, unknown: bool (samples,); x_linked: bool (variants of the chromosome,)."""

    male: np.ndarray
    unknown: np.ndarray
    x_linked: np.ndarray


def _sexes(sex: np.ndarray, linked: np.ndarray, chrom: object) -> _Sexes:
    """Who is male where it matters; UserError where it matters and nobody's sex is known."""
    unknown = ~np.isin(sex, (1, 2))
    if linked.any():
        if unknown.all():
            raise UserError(
                f"chromosome {chrom} cannot be analysed, because the genotypes tell nobody's sex: fill the column "
                "of the .fam, .psam or .sample, or take X out of genotypes.chromosomes"
            )
        log.info("chromosome %s: %d variants outside the pseudo-autosomal regions; %d males, %d females, %d samples of "
                 "unknown sex, who are missing there", chrom, linked.sum(), (sex == 1).sum(), (sex == 2).sum(),
                 unknown.sum())  # fmt: skip
    return _Sexes(sex == 1, unknown, linked)


def _check(
    block: np.ndarray, reason: np.ndarray, settings: Mapping[str, object], sexes: _Sexes, linked: np.ndarray
) -> pd.DataFrame:
    """Call rate, frequency, Hardy-Weinberg p and reason of a block of int8 dosages (samples, variants) after the coding.

    `linked`: bool (variants,), which of the block are X-linked.
    """
    af, called = frequencies(block, sexes.male, linked)
    call_rate = called / np.where(linked, block.shape[0] - sexes.unknown.sum(), block.shape[0])
    hwe_p = np.empty(len(called))
    for some, samples in ((~linked, None), (linked, ~sexes.male)):
        calls = block if some.all() else block[:, some]
        calls = calls if samples is None else calls[samples]
        none, het, both = (np.count_nonzero(calls == dosage, axis=0) for dosage in (0, 1, 2))
        hwe_p[some] = hwe_exact(het, none, both, settings["hwe_midp"])
    maf = np.minimum(af, 1 - af)
    for why, fails in (
        ("call rate", (call_rate < settings["call_rate"]) | (called == 0)),
        ("maf", maf < settings["maf"]),
        ("hwe", hwe_p < settings["hwe"]),
    ):
        reason = np.where((reason == "") & fails, why, reason)
    return pd.DataFrame({"call_rate": call_rate, "af": af, "hwe_p": hwe_p, "reason": reason})


def _check_info(
    checked: pd.DataFrame, dosages: np.ndarray, least: float, sexes: _Sexes, linked: np.ndarray
) -> pd.DataFrame:
    """What `_check` gave, with the `info` of dosages (samples, variants), and that reason where it is below `least`."""
    values, _ = code_males(dosages, sexes.male, sexes.unknown, linked)
    info = imputation_quality(values, sexes.male, linked)
    reason = checked["reason"].to_numpy()
    return checked.assign(info=info, reason=np.where((reason == "") & ~(info >= least), "info", reason))


def imputation_quality(block: np.ndarray, male: np.ndarray, linked: np.ndarray) -> np.ndarray:
    """MaCH's r²: the variance of the dosages over what Hardy-Weinberg proportions give, float64 (variants,).

    `block` is float32 (samples, variants), NaN where missing; a male's dosage of an X-linked variant is 0 to 2 and
    varies twice as much as a female's. 0 where nothing varies. Source: Li et al. 2010, doi:10.1002/gepi.20533.
    """
    frequency, called = frequencies(block, male, linked)
    called = np.maximum(called, 1)
    males = np.where(linked, np.count_nonzero(~np.isnan(block[male]), axis=0), 0)
    mean = np.nansum(block, axis=0, dtype=np.float64) / called
    variance = np.nansum((block - mean) ** 2, axis=0, dtype=np.float64) / called
    expected = 2 * frequency * (1 - frequency) * (1 + males / called)
    return np.divide(variance, expected, out=np.zeros_like(mean), where=expected > 0)


def expected_hets(block: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Σ2p(1-p) over the variants that each sample is called at: float64 (samples,); `block` int8 (samples, variants)."""
    each = 2 * frequency.astype(np.float64) * (1 - frequency.astype(np.float64))
    sample, variant = np.nonzero(block < 0)
    return each.sum() - np.bincount(sample, each[variant], minlength=block.shape[0])
