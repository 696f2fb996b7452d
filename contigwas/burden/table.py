"""Write the burden of every gene and mask from exome calls, annotations and set lists."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.burden.annotations import check_masks, read_annotations
from contigwas.burden.chromosome import Burden, burden_of
from contigwas.burden.names import VariantNames
from contigwas.burden.regenie import read_aaf
from contigwas.burden.rules import Rules
from contigwas.burden.set_definitions import AnnotationSets, ListedSets
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

    A value is `statistic` over the alternate (effect) alleles of the gene's qualifying variants: `max` (maximum over
    variants: 0, 1 or 2), `sum`, `comphet` (the sum, at most 2) or `binary` (any allele). A missing call counts as 0.

    A variant qualifies if it is in the set of the gene (without `sets`: if it is annotated for the gene), if a category
    of its annotation for the gene is in the mask, if its share of missing calls is at most `max_missing`, and if its
    alternate-allele frequency is at most `max_aaf`. The frequency is that among the samples written, or that in the
    REGENIE file `aaf`; variants missing from this file do not qualify. With `singletons`, `<mask>.singleton` has the
    variants of a mask with one alternate allele among the samples written, or as in the third column of the file.
    `settings` has `masks` (name: categories, or a mask file), `statistic max_aaf max_missing singletons aaf vep`.

    The samples are the included samples of the cohort that have exome calls. Features without a carrier are removed and
    counted. `.var` has `gene mask chrom pos`, `carriers`, `variants` (qualifying and carried), `missing` (missing calls
    set to 0) and `dropped` (JSON: the other variants of the set by reason). Values are int8, or for `sum` the smallest
    sufficient integer type. Raises UserError for malformed inputs, when there is no sample in common, when all variants
    are unknown, and when no feature has a carrier.
    """
    rules = Rules.of(settings)
    annotated = read_annotations(annotations, settings["vep"])
    check_masks(rules.masks, annotated, annotations)
    aaf = read_aaf(settings["aaf"]) if settings["aaf"] else None
    wanted = [require_autosome(chrom) for chrom in chromosomes]
    gene_sets = ListedSets(sets, annotated, rules, wanted) if sets else AnnotationSets(annotated, rules)
    cohort_table, iids = read_cohort(cohort), None
    parts: list[Burden] = []
    for chrom in wanted:
        if not gene_sets.may_have_genes(chrom):
            continue
        genotypes = open_genotypes(genotype_files, chrom)
        if iids is None:
            iids = _samples(cohort_table, genotypes, cohort)
        names = VariantNames(genotypes.variants, chrom)
        members = gene_sets.members(names, genotypes)
        parts.append(burden_of(genotypes, names, sample_rows(genotypes, iids), members, rules, aaf))
    gene_sets.check_found(annotations, genotype_files)
    reasons = sum((Counter(part.reasons) for part in parts), Counter())
    features, carried = _carried_features(parts, reasons, sets or annotations, settings["aaf"])
    provenance = {
        "stage": "burden", "genotypes": describe_files(genotype_files), "annotations": str(annotations),
        "sets": str(sets or ""),
        "masks": {name: list(categories) for name, categories in rules.masks.items()}, "statistic": rules.statistic,
        "max_aaf": rules.max_aaf, "max_missing": rules.max_missing, "singletons": rules.singletons,
        "aaf": str(settings["aaf"] or ""), "vep": dict(settings["vep"]), "dropped": dict(reasons),
        "features_without_carrier": int((~carried).sum()), "features": len(features),
        "samples_in_cohort": len(cohort_table), "n_samples": len(iids),
    }  # fmt: skip
    matrix = _join([part.values for part in parts], np.flatnonzero(carried))
    write_modality(output, matrix, pd.Index(iids), features, provenance)


def _carried_features(
    parts: Sequence[Burden], reasons: Counter, genes: PathLike, aaf: PathLike | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the features with carriers, indexed by name, and which of all features these are: bool (features,).

    Raises UserError, which names the files `genes` and `aaf`, when there is none or a name is duplicated.
    """
    reason_counts = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items())) or "none"
    log.info("pairs of a variant and a mask that do not qualify, by reason: %s", reason_counts)
    features = pd.concat([part.features for part in parts], ignore_index=True)
    carried = (features["carriers"] > 0).to_numpy()
    log.info("%d features of genes and masks, %d of them removed because they have no carrier", len(carried),
             (~carried).sum())  # fmt: skip
    if not carried.any() and reasons["no aaf"]:
        raise UserError(
            f"{aaf} has no frequency for {reasons['no aaf']} variants, and no sample carries a qualifying variant of "
            "any gene. Use the variant IDs of the exome calls in this file."
        )
    if not carried.any():
        raise UserError(
            f"{genes}: no sample carries a qualifying variant of any gene (variants that do not qualify: "
            f"{reason_counts}). Check that its variant IDs are those of the exome calls, and check burden.masks and "
            "burden.max_aaf."
        )
    kept = features[carried].reset_index(drop=True)
    log.info("%d missing calls of qualifying variants are set to 0", kept["missing"].sum())
    kept.index = pd.Index(kept["gene"].astype(str) + "." + kept["mask"], name=None)
    duplicated = kept.index[kept.index.duplicated()]
    if len(duplicated):
        raise UserError(
            f"burden.masks: {len(duplicated)} combinations of gene and mask have the name of another one (the first is "
            f"{duplicated[0]}). Rename the masks."
        )
    return kept, carried


def _samples(cohort_table: pd.DataFrame, genotypes: Genotypes, cohort: PathLike) -> np.ndarray:
    """Return the IIDs of the included samples with exome calls, in the order of the cohort."""
    iids_included = included(cohort_table)["iid"].astype(str)
    require_overlap(
        iids_included, genotypes.samples["iid"], f"the cohort ({cohort})", f"the exome calls ({genotypes.path})"
    )
    iids = iids_included[iids_included.isin(genotypes.samples["iid"])].to_numpy(dtype=str)
    log.info("%d of the %d samples of the cohort have exome calls", len(iids), len(iids_included))
    return iids


def _join(values: Sequence[sparse.csc_array], chosen: np.ndarray) -> sparse.csr_array:
    """Join the chosen columns of all chromosomes, in the smallest sufficient integer type."""
    matrix = sparse.hstack(values, format="csc")[:, chosen]
    max_value = int(matrix.data.max(initial=0))
    dtype = next(dtype for dtype in (np.int8, np.int16, np.int32) if max_value <= np.iinfo(dtype).max)
    matrix = matrix.astype(dtype).tocsr()
    matrix.sort_indices()
    return matrix
