"""Quality control of variants, then of people."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.errors import UserError
from contigwas.files import PathLike, require, write_parquet
from contigwas.genotypes.hwe import hwe_exact
from contigwas.genotypes.names import chromosome
from contigwas.genotypes.reader import Genotypes, open_genotypes
from contigwas.genotypes.sex import code_males, frequencies, x_linked
from contigwas.people import require_overlap, rows_of
from contigwas.samples.candidates import analysed, read_candidates

log = logging.getLogger(__name__)


def variant_qc(
    pattern: PathLike,
    chrom: object,
    candidates: PathLike,
    settings: Mapping[str, float],
    build: str,
    output_variants: PathLike,
    output_people: PathLike,
) -> None:
    """Check every variant of a chromosome among the candidates that are in the genotypes (and in `samples.keep`).

    `settings` has `call_rate` (least share of people called), `maf` and `hwe` (least p of the exact test).
    `output_variants`: one row a variant of the file, file order: `chrom pos id effect_allele other_allele call_rate
    af hwe_p kept reason index`; af is the effect allele's frequency, reason the first that applies of `duplicate`,
    `call rate`, `maf`, `hwe`, and index the position in `Genotypes.variants`.
    On X outside the pseudo-autosomal regions of `build` (see `sex`): males' heterozygous calls are missing and counted;
    the call rate is that of people of known sex; a male counts one allele; the exact test is among females alone, as in
    plink1.9 --hardy (plink2's test on X uses males as well). Everything is counted on the hard calls.
    `output_people`: `iid called variants hets`, counts over the kept variants; the number of variants for each reason
    travels in its `attrs`, from which `people_qc` tells why nothing is left.
    Raises UserError for malformed genotypes, and when no candidate is in them.
    """
    bed = open_genotypes(pattern, chrom)
    candidate = analysed(read_candidates(candidates))
    named = candidate["iid"]
    require_overlap(named, bed.people["iid"], f"the candidates to analyse ({candidates})", str(bed.path))
    people = _rows(named, bed, candidates)
    log.info("chromosome %s: %d of the %d people of the genotypes are looked at", chrom, len(people), len(bed.people))

    sexes = _sexes(candidate["sex"].to_numpy(), x_linked(chromosome(chrom), bed.variants["pos"], build), chrom)

    table = bed.variants[["chrom", "pos", "id", "effect_allele", "other_allele"]].copy()
    table[["call_rate", "af", "hwe_p"]] = np.nan
    table["reason"] = np.where(_repeats(table), "duplicate", "")
    called, hets, variants, errors = np.zeros(len(people), np.int64), np.zeros(len(people), np.int64), 0, 0
    for part, block in bed.blocks(np.arange(len(table)), people):
        block, lost = code_males(block, sexes.male, sexes.unknown, sexes.x_linked[part])
        errors += lost
        checked = _check(block, table["reason"].to_numpy()[part], settings, sexes, sexes.x_linked[part])
        table.loc[part, checked.columns] = checked.to_numpy(dtype=object)
        kept = block[:, checked["reason"].to_numpy() == ""]
        called += np.count_nonzero(kept >= 0, axis=1)
        hets += np.count_nonzero(kept == 1, axis=1)
        variants += kept.shape[1]
    table = table.astype({"call_rate": np.float32, "af": np.float32, "hwe_p": np.float64})
    table["kept"] = table["reason"] == ""
    table["index"] = np.arange(len(table), dtype=np.int32)

    if sexes.x_linked.any():
        log.info("chromosome %s: %d heterozygous calls of males became missing", chrom, errors)
    reasons = table.loc[~table["kept"], "reason"].value_counts().sort_index().to_dict()
    told = ", ".join(f"{count} {why}" for why, count in reasons.items()) or "none"
    log.info("chromosome %s: %d of %d variants kept; dropped: %s", chrom, variants, len(table), told)
    counts = pd.DataFrame({"iid": named.to_numpy(), "called": called, "variants": variants, "hets": hets})
    counts.attrs["reasons"] = {"variants": len(table), **{f"dropped: {why}": n for why, n in reasons.items()}}
    columns = ["chrom", "pos", "id", "effect_allele", "other_allele", "call_rate", "af", "hwe_p", "kept", "reason"]
    write_parquet(table[[*columns, "index"]], output_variants)
    write_parquet(counts, output_people)


def people_qc(missing: Sequence[PathLike], settings: Mapping[str, float], output: PathLike) -> None:
    """Add up the people's counts of all chromosomes; write `iid call_rate heterozygosity kept reason`.

    `heterozygosity` is the share of heterozygotes among the calls. `settings` has `person_call_rate`, the least share
    of the kept variants called in a person. Raises UserError when no variant or no person is left.
    """
    total, reasons = None, Counter()
    for path in missing:
        table = pd.read_parquet(require(path, "the people's counts of called variants"))
        reasons.update(table.attrs.get("reasons", {}))
        counts = table.set_index("iid")[["called", "variants", "hets"]]
        if total is not None and set(total.index) != set(counts.index):
            raise UserError(f"{path} and {missing[0]} count other people: run the stage genotypes again from its start")
        total = counts if total is None else total + counts.loc[total.index]
    if not total["variants"].iat[0]:
        told = ", ".join(f"{count} {why.removeprefix('dropped: ')}" for why, count in reasons.items() if ":" in why)
        raise UserError(
            f"none of the {reasons['variants']} variants of the genotypes is left after quality control (dropped: "
            f"{told or 'no reason known'}): relax genotypes.qc"
        )
    call_rate = total["called"] / total["variants"]
    kept = call_rate >= settings["person_call_rate"]
    log.info("%d of %d people kept; %d have a call rate below %g", kept.sum(), len(kept), (~kept).sum(),
             settings["person_call_rate"])  # fmt: skip
    if not kept.any():
        raise UserError(
            f"none of the {len(kept)} people is left after quality control (the best call rate is "
            f"{call_rate.max():.3f}): relax genotypes.qc.person_call_rate"
        )
    write_parquet(
        pd.DataFrame(
            {
                "iid": total.index,
                "call_rate": call_rate.to_numpy(),
                "heterozygosity": (total["hets"] / total["called"].where(total["called"] > 0)).to_numpy(),
                "kept": kept.to_numpy(),
                "reason": np.where(kept, "", "call rate"),
            }
        ),
        output,
    )


def kept_people(path: PathLike) -> np.ndarray:
    """The IIDs kept in the table that `people_qc` wrote, in its order; strings."""
    table = pd.read_parquet(require(Path(path), "the people's quality control"))
    return table.loc[table["kept"], "iid"].to_numpy(dtype=str)


def _rows(named: pd.Series, bed: Genotypes, candidates: PathLike) -> np.ndarray:
    rows = rows_of(named, bed.people["iid"])
    if (rows < 0).any():
        raise UserError(
            f"{bed.path} lacks {(rows < 0).sum()} of the {len(rows)} people of {candidates}: every file of "
            "genotypes.array must name the same people"
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
    """male, unknown: bool (people,); x_linked: bool (variants of the chromosome,)."""

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
        log.info("chromosome %s: %d variants outside the pseudo-autosomal regions; %d males, %d females, %d people of "
                 "unknown sex, who are missing there", chrom, linked.sum(), (sex == 1).sum(), (sex == 2).sum(),
                 unknown.sum())  # fmt: skip
    return _Sexes(sex == 1, unknown, linked)


def _check(
    block: np.ndarray, reason: np.ndarray, settings: Mapping[str, float], sexes: _Sexes, linked: np.ndarray
) -> pd.DataFrame:
    """Call rate, frequency, Hardy-Weinberg p and reason of a block of int8 dosages (people, variants) after the coding.

    `linked`: bool (variants,), which of the block are X-linked.
    """
    af, called = frequencies(block, sexes.male, linked)
    call_rate = called / np.where(linked, block.shape[0] - sexes.unknown.sum(), block.shape[0])
    hwe_p = np.empty(len(called))
    for some, people in ((~linked, None), (linked, ~sexes.male)):
        calls = block if some.all() else block[:, some]
        calls = calls if people is None else calls[people]
        none, het, both = (np.count_nonzero(calls == dosage, axis=0) for dosage in (0, 1, 2))
        hwe_p[some] = hwe_exact(het, none, both)
    maf = np.minimum(af, 1 - af)
    for why, fails in (
        ("call rate", (call_rate < settings["call_rate"]) | (called == 0)),
        ("maf", maf < settings["maf"]),
        ("hwe", hwe_p < settings["hwe"]),
    ):
        reason = np.where((reason == "") & fails, why, reason)
    return pd.DataFrame({"call_rate": call_rate, "af": af, "hwe_p": hwe_p, "reason": reason})
