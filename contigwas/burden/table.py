"""From exome calls, annotations and set lists to the burden of every gene and mask."""

import json
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from contigwas.burden.carriers import most, read_rare
from contigwas.burden.sets import check_masks, members, read_annotations, read_sets
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
    sets: PathLike,
    cohort: PathLike,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write the burden modality: int8 CSR (people, features), one feature `GENE.mask`, the statistic `max`.

    A value is the most alternate (effect) alleles at one qualifying variant: 0, 1 or 2; a missing call counts
    as 0. A variant qualifies when the gene's set lists it, its annotation for the gene is in the mask, and its
    frequency among the people written is at most `max_aaf`. `settings` has `masks` (name: categories) and `max_aaf`.
    People: those of the cohort who are not excluded and have exome calls. Features without any carrier are left out
    and counted. `.var`: `gene mask chrom pos`, `carriers`, `variants` (that qualify and someone carries), `missing`
    (calls taken as 0) and `dropped` (JSON: the set's other variants by reason; with `variants` they add up to the
    set). Raises UserError for malformed inputs, no person in common, and when no feature has a carrier.
    """
    annotated, listed = read_annotations(annotations), read_sets(sets)
    check_masks(settings["masks"], annotated, annotations)
    wanted = [require_autosome(chrom) for chrom in chromosomes]
    here = listed["chrom"].isin(wanted)
    log.info("%d genes, %d of them on the chromosomes %s", len(listed), here.sum(), ", ".join(wanted))
    if not here.any():
        raise UserError(
            f"{sets} has no gene on the chromosomes of genotypes.chromosomes (it has "
            f"{', '.join(listed['chrom'].unique()[:25])}): correct one of them"
        )
    everyone, iids = read_cohort(cohort), None
    values, features, reasons = [], [], {}
    for chrom in wanted:
        of_chrom = listed[listed["chrom"] == chrom]
        if of_chrom.empty:
            continue
        bed = open_genotypes(pattern, chrom)
        if iids is None:
            iids = _people(everyone, bed, cohort)
        table = members(of_chrom, annotated, settings["masks"])
        found, described = _chromosome(bed, person_rows(bed, iids), table, settings["max_aaf"])
        for why, count in table.loc[table["reason"] != "", "reason"].value_counts().items():
            reasons[why] = reasons.get(why, 0) + int(count)
        places = of_chrom.set_index("gene").loc[described["gene"], ["chrom", "pos"]]
        described[["chrom", "pos"]] = places.to_numpy()
        values.append(found)
        features.append(described)
    told = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items())) or "none"
    log.info("pairs of a variant and a mask that do not qualify, by reason: %s", told)
    described = pd.concat(features, ignore_index=True)
    carried = (described["carriers"] > 0).to_numpy()
    log.info("%d features of genes and masks, %d of them without a carrier and left out", len(carried),
             (~carried).sum())  # fmt: skip
    if not carried.any():
        raise UserError(
            f"nobody carries a qualifying variant of any gene in {sets} (variants that do not qualify: {told}): check "
            "that its variant ids are those of the exome calls, burden.masks and burden.max_aaf"
        )
    kept = described[carried].reset_index(drop=True).astype({"pos": np.int64})
    log.info("%d missing calls of qualifying variants are taken as 0", kept["missing"].sum())
    kept.index = kept["gene"] + "." + kept["mask"]
    provenance = {
        "stage": "burden", "genotypes": str(pattern), "annotations": str(annotations), "sets": str(sets),
        "masks": dict(settings["masks"]), "max_aaf": settings["max_aaf"], "statistic": "max",
        "features_without_carrier": int((~carried).sum()), "features": len(kept), "dropped": reasons,
        "people_in_cohort": len(everyone), "people": len(iids),
    }  # fmt: skip
    matrix = sparse.hstack(values, format="csc")[:, np.flatnonzero(carried)].tocsr()
    columns = ["gene", "mask", "chrom", "pos", "carriers", "variants", "missing", "dropped"]
    write_modality(output, matrix, pd.Index(iids), kept[columns], provenance)


def _people(everyone: pd.DataFrame, bed: Genotypes, cohort: PathLike) -> np.ndarray:
    """IIDs of the cohort's people with exome calls, in the cohort's order."""
    included = everyone.loc[everyone["excluded"] == "", "iid"].astype(str)
    require_overlap(included, bed.people["iid"], f"the cohort ({cohort})", f"the exome calls ({bed.path})")
    iids = included[included.isin(bed.people["iid"])].to_numpy(dtype=str)
    log.info("%d of the %d people of the cohort have exome calls", len(iids), len(included))
    return iids


def _chromosome(
    bed: Genotypes, people: np.ndarray, table: pd.DataFrame, max_aaf: float
) -> tuple[sparse.csc_array, pd.DataFrame]:
    """The burden (people, features) of one chromosome, and a row of counts a feature.

    `table` are the members of the sets; the reasons that depend on the calls are filled into it: `not in genotypes`,
    `duplicate id`, `not called`, `frequency` and `no carrier`.
    """
    ids = pd.Index(bed.variants["id"])
    repeated = ids[ids.duplicated()].unique()
    unique = ~ids.isin(repeated)
    places = np.flatnonzero(unique)
    found = ids[unique].get_indexer(table["variant"])
    reason = table["reason"].to_numpy(dtype=object, copy=True)
    in_question = reason == ""
    reason[in_question & (found < 0)] = "not in genotypes"
    reason[in_question & table["variant"].isin(repeated).to_numpy()] = "duplicate id"

    pairs = np.flatnonzero(reason == "")
    variants, column = np.unique(places[found[pairs]], return_inverse=True)
    rare = read_rare(bed, variants, people, max_aaf)
    frequency = rare.frequency[column]
    for why, fails in (
        ("not called", np.isnan(frequency)),
        ("frequency", frequency > max_aaf),
        ("no carrier", frequency == 0),
    ):
        reason[pairs[fails]] = why
    table["reason"] = reason

    masks = len(table["mask"].cat.categories)
    feature = table["gene"].cat.codes.to_numpy(np.int64) * masks + table["mask"].cat.codes.to_numpy(np.int64)
    count = len(table["gene"].cat.categories) * masks
    qualifies = reason[pairs] == ""
    values = most(rare.dosages, column[qualifies], feature[pairs][qualifies], count)
    missing = np.bincount(feature[pairs][qualifies], rare.missing[column[qualifies]], minlength=count)
    features = pd.DataFrame(
        {
            "gene": np.repeat(table["gene"].cat.categories.to_numpy(dtype=object), masks),
            "mask": np.tile(table["mask"].cat.categories.to_numpy(dtype=object), count // masks),
            "carriers": np.diff(values.indptr).astype(np.int64),
            "variants": np.bincount(feature[reason == ""], minlength=count),
            "missing": missing.astype(np.int64),
        }
    )
    features["dropped"] = _dropped(feature, reason, count)
    return values, features


def _dropped(feature: np.ndarray, reason: np.ndarray, count: int) -> list[str]:
    """For every feature the variants that do not qualify, by reason, as JSON."""
    left_out = pd.DataFrame({"feature": feature, "reason": reason})[reason != ""]
    found: list[dict[str, int]] = [{} for _ in range(count)]
    for (number, why), many in left_out.groupby(["feature", "reason"]).size().items():
        found[number][why] = int(many)
    return [json.dumps(one) for one in found]
