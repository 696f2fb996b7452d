"""From exome calls, annotations and set lists to the burden of every gene and mask."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.burden.annotations import check_masks, read_annotations
from contigwas.burden.chromosome import Burden, burden_of
from contigwas.burden.names import Names
from contigwas.burden.regenie import read_aaf
from contigwas.burden.rules import Rules
from contigwas.burden.set_definitions import Derived, Listed
from contigwas.genotypes.chromosome_names import require_autosome
from contigwas.genotypes.files import describe_files
from contigwas.genotypes.pruned import sample_rows
from contigwas.genotypes.reader import GenotypeFiles, Genotypes, open_genotypes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError
from contigwas.samples.cohort import included, read_cohort
from contigwas.tables.anndata_io import write_modality
from contigwas.tables.sample_ids import require_overlap

log = logging.getLogger(__name__)


def write_burden(
    genotype_files: GenotypeFiles,
    chromosomes: Sequence[object],
    annotations: PathLike,
    sets: PathLike | None,
    cohort: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write the burden modality: integer CSR (samples, features), one feature `GENE.mask`.

    A value is `statistic` over the gene's qualifying variants: `max` (the most alternate, that is effect, alleles at
    one variant: 0, 1 or 2), `sum` of them, `comphet` (the sum, at most 2) or `binary` (any); a missing call counts as
    0. A variant qualifies when the gene's set lists it (without `sets`: when it is annotated for the gene), a category
    of its annotation for the gene is in the mask, at most `max_missing` of the samples written are not called, and its
    frequency is at most `max_aaf`: that among the samples written, or where `aaf` names REGENIE's file, the one there;
    a variant that the file lacks does not qualify. `<mask>.singleton` (with `singletons`) has those of a mask's
    variants with one alternate allele among the samples written, or as the file's third column says. `settings` has
    `masks` (name: categories, or a mask file), `statistic max_aaf max_missing singletons aaf vep`.

    Samples: those of the cohort who are not excluded and have exome calls. Features without any carrier are left out
    and counted. `.var`: `gene mask chrom pos`, `carriers`, `variants` (that qualify and someone carries), `missing`
    (their calls taken as 0) and `dropped` (JSON: the set's other variants by reason; with `variants` they add up to
    the set). int8, or for `sum` the smallest integer that holds it. Raises UserError for malformed inputs, no sample
    in common, variants that all are unknown, and when no feature has a carrier.
    """
    rules = Rules.of(settings)
    annotated = read_annotations(annotations, settings["vep"])
    check_masks(rules.masks, annotated, annotations)
    aaf = read_aaf(settings["aaf"]) if settings["aaf"] else None
    wanted = [require_autosome(chrom) for chrom in chromosomes]
    grouped = Listed(sets, annotated, rules, wanted) if sets else Derived(annotated, rules)
    everyone, iids = read_cohort(cohort), None
    parts: list[Burden] = []
    for chrom in wanted:
        if not grouped.has(chrom):
            continue
        bed = open_genotypes(genotype_files, chrom)
        if iids is None:
            iids = _samples(everyone, bed, cohort)
        names = Names(bed.variants, chrom)
        members = grouped.members(names, bed)
        parts.append(burden_of(bed, names, sample_rows(bed, iids), members, rules, aaf))
    grouped.tell(annotations, describe_files(genotype_files))
    reasons = sum((Counter(part.reasons) for part in parts), Counter())
    features, carried = _carried(parts, reasons, sets or annotations, settings["aaf"])
    provenance = {
        "stage": "burden", "genotypes": describe_files(genotype_files), "annotations": str(annotations),
        "sets": str(sets or ""),
        "masks": {name: list(categories) for name, categories in rules.masks.items()}, "statistic": rules.statistic,
        "max_aaf": rules.max_aaf, "max_missing": rules.max_missing, "singletons": rules.singletons,
        "aaf": str(settings["aaf"] or ""), "vep": dict(settings["vep"]), "dropped": dict(reasons),
        "features_without_carrier": int((~carried).sum()), "features": len(features),
        "samples_in_cohort": len(everyone), "n_samples": len(iids),
    }  # fmt: skip
    matrix = _joined([part.values for part in parts], np.flatnonzero(carried))
    write_modality(output, matrix, pd.Index(iids), features, provenance)


def _carried(
    parts: Sequence[Burden], reasons: Counter, genes: PathLike, aaf: PathLike | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """The features that someone carries, by name, and which of all features they are: bool (features,).

    UserError when there is none, or when two share a name; `genes` and `aaf` are the files that it names.
    """
    reported = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items())) or "none"
    log.info("pairs of a variant and a mask that do not qualify, by reason: %s", reported)
    features = pd.concat([part.features for part in parts], ignore_index=True)
    carried = (features["carriers"] > 0).to_numpy()
    log.info("%d features of genes and masks, %d of them without a carrier and left out", len(carried),
             (~carried).sum())  # fmt: skip
    if not carried.any() and reasons["no aaf"]:
        raise UserError(
            f"nobody carries a qualifying variant of any gene, and {aaf} has no frequency for {reasons['no aaf']} of "
            "them: give its variants the ids of the exome calls"
        )
    if not carried.any():
        raise UserError(
            f"nobody carries a qualifying variant of any gene in {genes} (variants that do not qualify: {reported}): check "
            "that its variant ids are those of the exome calls, burden.masks and burden.max_aaf"
        )
    kept = features[carried].reset_index(drop=True)
    log.info("%d missing calls of qualifying variants are taken as 0", kept["missing"].sum())
    kept.index = pd.Index(kept["gene"].astype(str) + "." + kept["mask"], name=None)
    twice = kept.index[kept.index.duplicated()]
    if len(twice):
        raise UserError(
            f"{len(twice)} names of a gene and a mask are those of another gene and mask (the first is {twice[0]}): "
            "rename the masks of burden.masks"
        )
    return kept, carried


def _samples(everyone: pd.DataFrame, bed: Genotypes, cohort: PathLike) -> np.ndarray:
    """IIDs of the cohort's samples with exome calls, in the cohort's order."""
    iids_included = included(everyone)["iid"].astype(str)
    require_overlap(iids_included, bed.samples["iid"], f"the cohort ({cohort})", f"the exome calls ({bed.path})")
    iids = iids_included[iids_included.isin(bed.samples["iid"])].to_numpy(dtype=str)
    log.info("%d of the %d samples of the cohort have exome calls", len(iids), len(iids_included))
    return iids


def _joined(values: Sequence[sparse.csc_array], chosen: np.ndarray) -> sparse.csr_array:
    """The chosen columns of all chromosomes side by side, in the smallest integer type that holds them."""
    matrix = sparse.hstack(values, format="csc")[:, chosen]
    most = int(matrix.data.max(initial=0))
    kind = next(kind for kind in (np.int8, np.int16, np.int32) if most <= np.iinfo(kind).max)
    matrix = matrix.astype(kind).tocsr()
    matrix.sort_indices()
    return matrix
