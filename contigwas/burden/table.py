"""From exome calls, annotations and set lists to the burden of every gene and mask."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.burden.annotations import check_masks, read_annotations
from contigwas.burden.chromosome import Burden, burden_of
from contigwas.burden.members import Members, of_annotations, of_sets
from contigwas.burden.names import UNKNOWN, Names
from contigwas.burden.regenie import read_aaf, read_sets
from contigwas.burden.rules import Rules
from contigwas.errors import UserError
from contigwas.files import PathLike
from contigwas.genotypes.names import require_autosome
from contigwas.genotypes.pruned import person_rows
from contigwas.genotypes.reader import Genotypes, open_genotypes
from contigwas.modality import write_modality
from contigwas.people import require_overlap
from contigwas.samples.cohort import read_cohort

log = logging.getLogger(__name__)


def write_burden(
    pattern: PathLike,
    chromosomes: Sequence[object],
    annotations: PathLike,
    sets: PathLike | None,
    cohort: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write the burden modality: integer CSR (people, features), one feature `GENE.mask`.

    A value is `statistic` over the gene's qualifying variants: `max` (the most alternate, that is effect, alleles at
    one variant: 0, 1 or 2), `sum` of them, `comphet` (the sum, at most 2) or `binary` (any); a missing call counts as
    0. A variant qualifies when the gene's set lists it (without `sets`: when it is annotated for the gene), a category
    of its annotation for the gene is in the mask, at most `max_missing` of the people written are not called, and its
    frequency is at most `max_aaf`: that among the people written, or where `aaf` names REGENIE's file, the one there;
    a variant that the file lacks does not qualify. `<mask>.singleton` (with `singletons`) has those of a mask's
    variants with one alternate allele among the people written, or as the file's third column says. `settings` has
    `masks` (name: categories, or a mask file), `statistic max_aaf max_missing singletons aaf vep`.

    People: those of the cohort who are not excluded and have exome calls. Features without any carrier are left out
    and counted. `.var`: `gene mask chrom pos`, `carriers`, `variants` (that qualify and someone carries), `missing`
    (their calls taken as 0) and `dropped` (JSON: the set's other variants by reason; with `variants` they add up to
    the set). int8, or for `sum` the smallest integer that holds it. Raises UserError for malformed inputs, no person
    in common, variants that all are unknown, and when no feature has a carrier.
    """
    rules = Rules.of(settings)
    annotated = read_annotations(annotations, settings["vep"])
    check_masks(rules.masks, annotated, annotations)
    aaf = read_aaf(settings["aaf"]) if settings["aaf"] else None
    wanted = [require_autosome(chrom) for chrom in chromosomes]
    grouped = _Listed(sets, annotated, rules, wanted) if sets else _Derived(annotated, rules)
    everyone, iids = read_cohort(cohort), None
    parts: list[Burden] = []
    for chrom in wanted:
        if not grouped.has(chrom):
            continue
        bed = open_genotypes(pattern, chrom)
        if iids is None:
            iids = _people(everyone, bed, cohort)
        names = Names(bed.variants, chrom)
        members = grouped.members(names, bed)
        parts.append(burden_of(bed, names, person_rows(bed, iids), members, rules, aaf))
    grouped.tell(annotations, pattern)
    reasons = sum((Counter(part.reasons) for part in parts), Counter())
    told = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items())) or "none"
    log.info("pairs of a variant and a mask that do not qualify, by reason: %s", told)
    described = pd.concat([part.features for part in parts], ignore_index=True)
    carried = (described["carriers"] > 0).to_numpy()
    log.info("%d features of genes and masks, %d of them without a carrier and left out", len(carried),
             (~carried).sum())  # fmt: skip
    if not carried.any() and aaf is not None and reasons["no aaf"]:
        raise UserError(
            f"nobody carries a qualifying variant of any gene, and {settings['aaf']} has no frequency for "
            f"{reasons['no aaf']} of them: give its variants the ids of the exome calls"
        )
    if not carried.any():
        raise UserError(
            f"nobody carries a qualifying variant of any gene in {sets or annotations} (variants that do not qualify: "
            f"{told}): check that its variant ids are those of the exome calls, burden.masks and burden.max_aaf"
        )
    kept = described[carried].reset_index(drop=True)
    log.info("%d missing calls of qualifying variants are taken as 0", kept["missing"].sum())
    kept.index = pd.Index(kept["gene"].astype(str) + "." + kept["mask"], name=None)
    _require_unique(kept.index)
    provenance = {
        "stage": "burden", "genotypes": str(pattern), "annotations": str(annotations), "sets": str(sets or ""),
        "masks": {name: list(categories) for name, categories in rules.masks.items()}, "statistic": rules.statistic,
        "max_aaf": rules.max_aaf, "max_missing": rules.max_missing, "singletons": rules.singletons,
        "aaf": str(settings["aaf"] or ""), "vep": dict(settings["vep"]),
        "features_without_carrier": int((~carried).sum()), "features": len(kept), "dropped": dict(reasons),
        "people_in_cohort": len(everyone), "people": len(iids),
    }  # fmt: skip
    matrix = _joined([part.values for part in parts], np.flatnonzero(carried))
    write_modality(output, matrix, pd.Index(iids), kept, provenance)


class _Listed:
    """Sets from a list: which variants a gene has, and on which chromosome it lies."""

    def __init__(self, sets: PathLike, annotated: pd.DataFrame, rules: Rules, wanted: Sequence[str]) -> None:
        self._path, self._sets, self._annotated, self._rules = sets, read_sets(sets), annotated, rules
        self._unlisted = self._known = self._listed = 0
        here = self._sets["chrom"].isin(wanted)
        log.info("%d genes, %d of them on the chromosomes %s", len(here), here.sum(), ", ".join(wanted))
        if not here.any():
            raise UserError(
                f"{sets} has no gene on the chromosomes of genotypes.chromosomes (it has "
                f"{', '.join(self._sets['chrom'].unique()[:25])}): correct one of them"
            )

    def has(self, chrom: str) -> bool:
        return (self._sets["chrom"] == chrom).any()

    def members(self, names: Names, bed: Genotypes) -> Members:
        of_chrom = self._sets[self._sets["chrom"] == names.chrom]
        found = of_sets(of_chrom, self._annotated, names, self._rules.masks)
        self._unlisted += found.unlisted
        self._listed += len(found.row)
        self._known += int((found.row != UNKNOWN).sum())
        return found

    def tell(self, annotations: PathLike, pattern: PathLike) -> None:
        """Log the variants that only one file has; UserError when the exome calls have none of the sets'."""
        log.info("%d of the %d variants of sets are not in the exome calls", self._listed - self._known, self._listed)
        if not self._known:
            raise UserError(
                f"{self._path} names {self._listed} variants, none of which is in the exome calls ({pattern}), by ID "
                "or by place and alleles: check that its variant ids are those of the exome calls"
            )
        lost = int((~self._annotated["gene"].isin(self._sets["gene"])).sum())
        log.info("%s: %d annotations are of a variant that its gene's set does not list, %d of a gene without a set",
                 annotations, self._unlisted, lost)  # fmt: skip


class _Derived:
    """Sets from the annotations: all variants annotated for a gene, on the first chromosome that has them."""

    def __init__(self, annotated: pd.DataFrame, rules: Rules) -> None:
        self._annotated, self._rules = annotated, rules
        self._open = np.ones(len(annotated), bool)  # annotations of a variant that no chromosome has had so far
        self._genes: set[str] = set()
        self._elsewhere = 0

    def has(self, chrom: str) -> bool:
        return True

    def members(self, names: Names, bed: Genotypes) -> Members:
        places = np.flatnonzero(self._open)
        rest = self._annotated.iloc[places]
        row = names.rows(rest["variant"], rest.get("place"))
        self._open[places[row != UNKNOWN]] = False
        again = (rest["gene"].isin(self._genes) & (row != UNKNOWN)).to_numpy()
        self._elsewhere += int(again.sum())
        found = of_annotations(rest[~again], bed.variants, row[~again], self._rules.masks)
        self._genes.update(found.genes["gene"])
        return found

    def tell(self, annotations: PathLike, pattern: PathLike) -> None:
        """Log the annotations that no set took; UserError when the exome calls have none of the variants."""
        log.info("sets are those of the annotations: %d genes", len(self._genes))
        log.info("%s: %d of %d annotations are of variants that are not in the exome calls",
                 annotations, self._open.sum(), len(self._open))  # fmt: skip
        if self._elsewhere:
            log.warning("%d annotations are left out: their gene has a set on another chromosome", self._elsewhere)
        if self._open.all():
            raise UserError(
                f"{annotations} names {len(self._open)} variants of genes, none of which is in the exome calls "
                f"({pattern}), by ID or by place and alleles: check that both are of one build"
            )


def _people(everyone: pd.DataFrame, bed: Genotypes, cohort: PathLike) -> np.ndarray:
    """IIDs of the cohort's people with exome calls, in the cohort's order."""
    included = everyone.loc[everyone["excluded"] == "", "iid"].astype(str)
    require_overlap(included, bed.people["iid"], f"the cohort ({cohort})", f"the exome calls ({bed.path})")
    iids = included[included.isin(bed.people["iid"])].to_numpy(dtype=str)
    log.info("%d of the %d people of the cohort have exome calls", len(iids), len(included))
    return iids


def _require_unique(features: pd.Index) -> None:
    twice = features[features.duplicated()]
    if len(twice):
        raise UserError(
            f"{len(twice)} names of a gene and a mask are those of another gene and mask (the first is {twice[0]}): "
            "rename the masks of burden.masks"
        )


def _joined(values: Sequence[sparse.csc_array], chosen: np.ndarray) -> sparse.csr_array:
    """The chosen columns of all chromosomes side by side, in the smallest integer type that holds them."""
    matrix = sparse.hstack(values, format="csc")[:, chosen]
    most = int(matrix.data.max(initial=0))
    kind = next(kind for kind in (np.int8, np.int16, np.int32) if most <= np.iinfo(kind).max)
    matrix = matrix.astype(kind).tocsr()
    matrix.sort_indices()
    return matrix
