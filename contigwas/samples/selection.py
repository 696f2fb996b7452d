"""Selection of the samples of the cohort: exclusions, folds and inclusion in the GWAS."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.ancestry import outside_ancestry
from contigwas.samples.candidates import analysed, read_candidates
from contigwas.samples.families import families, related_pairs, unrelated
from contigwas.samples.folds import assign_folds
from contigwas.tables.sample_ids import rows_of, shape
from contigwas.tables.text import require

log = logging.getLogger(__name__)


def write_cohort(
    candidates: PathLike,
    samples: PathLike,
    kinship: PathLike | None,
    settings: Mapping[str, object],
    seed: int,
    output: PathLike,
    ancestry: Mapping[str, object] | None = None,
    pcs: PathLike | None = None,
) -> None:
    """Write cohort.tsv: `fid iid sex family fold gwas_included exclusion gwas_exclusion`, one row per candidate.

    `samples` is the samples' quality control (iid, kept, reason). `kinship` is the table of relatives, or None without
    kinship estimates. `settings` has `folds` and `max_kinship`. `exclusion` is why a sample is excluded from all
    analyses: quality control, `samples.keep`, or `ancestry` (settings of `outside_ancestry`, with the components in
    `pcs`). `gwas_exclusion` is `related` for samples that are used in training but excluded from the GWAS. Raises
    UserError when no sample is left, or when a candidate with genotypes is not in `samples`.
    """
    candidate_table = read_candidates(candidates)
    exclusion = _exclusions(candidate_table, samples)
    if ancestry is not None:
        inside = np.flatnonzero(exclusion == "")
        exclusion[inside[outside_ancestry(candidate_table["iid"].to_numpy(dtype=str)[inside], ancestry, pcs, seed)]] = (
            "ancestry"
        )
    table = candidate_table[["fid", "iid", "sex"]].assign(exclusion=exclusion)
    kept = (table["exclusion"] == "").to_numpy()
    for reason, count in table.loc[~kept, "exclusion"].value_counts(sort=False).items():
        log.info("excluded: %d samples, %s", count, reason)
    if not kept.any():
        reasons = ", ".join(f"{count} {why}" for why, count in table["exclusion"].value_counts(sort=False).items())
        raise UserError(f"{candidates}: all {len(table)} samples are excluded ({reasons}). Relax samples.keep or "
                        "genotypes.qc, or check the inputs.")  # fmt: skip

    iids = table["iid"].tolist()
    pairs = np.empty((0, 2), np.int64)
    if kinship is not None:
        found = pd.read_parquet(require(kinship, "the table of relatives"))
        pairs = related_pairs(iids, found, settings["max_kinship"])
        pairs = pairs[kept[pairs].all(axis=1)]
    table["family"] = families(iids, pairs)
    table["fold"] = assign_folds(table["family"], settings["folds"], seed)
    is_unrelated = unrelated(iids, pairs, seed)
    table["gwas_included"] = (kept & is_unrelated).astype(int)
    table["gwas_exclusion"] = np.where(kept & ~is_unrelated, "related", "")
    log.info("%d samples included, %d families of two or more; %d included in the GWAS, %d excluded from it as related",
             kept.sum(), (table["family"].value_counts() > 1).sum(), table["gwas_included"].sum(),
             (kept & ~is_unrelated).sum())  # fmt: skip
    log.info(
        "samples included in each fold: %s", np.bincount(table["fold"][kept], minlength=settings["folds"]).tolist()
    )
    write_tsv(table[["fid", "iid", "sex", "family", "fold", "gwas_included", "exclusion", "gwas_exclusion"]], output)


def _exclusions(candidates: pd.DataFrame, samples: PathLike) -> np.ndarray:
    """Return why each candidate is excluded, or an empty string: str (candidates,)."""
    checked = pd.read_parquet(require(samples, "the samples' quality control"))
    rows = rows_of(candidates["iid"], checked["iid"].astype(str))
    missing = set(analysed(candidates)["iid"]) - set(checked["iid"].astype(str))
    if missing:
        raise UserError(
            f"{samples}: {len(missing)} samples of the genotypes are missing (IDs of {shape(missing)}). "
            "Run the stage genotypes again."
        )
    reasons = np.where(rows >= 0, checked["reason"].to_numpy(dtype=object)[rows], "")
    if "keep" in candidates.columns:
        reasons = np.where(candidates["keep"] == 1, reasons, "not in keep")
    return np.where(candidates["genotypes"] == 1, reasons, "no genotypes")
