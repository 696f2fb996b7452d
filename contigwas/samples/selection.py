"""Who is kept, in which fold, and who is tested."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.ancestry import outsiders
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
    """Write cohort.tsv: `fid iid sex family fold gwas_included exclusion gwas_exclusion`, one row a candidate.

    `samples` is the samples' quality control (iid, kept, reason), `kinship` the pairs of relatives, or None where
    nobody's relatives are known; `settings` has `folds` and `max_kinship`. `excluded` says why someone is out of
    everything: quality control, `samples.keep`, or `ancestry` (settings of `outsiders`, with the components `pcs`);
    `untested` is `related` for those who may train but are not tested. Raises UserError when nobody is
    left, or when a candidate with genotypes is not in `samples`.
    """
    named = read_candidates(candidates)
    excluded = _excluded(named, samples)
    if ancestry is not None:
        inside = np.flatnonzero(excluded == "")
        excluded[inside[outsiders(named["iid"].to_numpy(dtype=str)[inside], ancestry, pcs, seed)]] = "ancestry"
    table = named[["fid", "iid", "sex"]].assign(exclusion=excluded)
    kept = (table["exclusion"] == "").to_numpy()
    for reason, count in table.loc[~kept, "exclusion"].value_counts(sort=False).items():
        log.info("excluded: %d samples, %s", count, reason)
    if not kept.any():
        reasons = ", ".join(f"{count} {why}" for why, count in table["exclusion"].value_counts(sort=False).items())
        raise UserError(f"nobody is left of the {len(table)} samples in {candidates} ({reasons}): relax samples.keep, "
                        "genotypes.qc or the inputs")  # fmt: skip

    iids = table["iid"].tolist()
    pairs = np.empty((0, 2), np.int64)
    if kinship is not None:
        found = pd.read_parquet(require(kinship, "the table of relatives"))
        pairs = related_pairs(iids, found, settings["max_kinship"])
        pairs = pairs[kept[pairs].all(axis=1)]
    table["family"] = families(iids, pairs)
    table["fold"] = assign_folds(table["family"], settings["folds"], seed)
    alone = unrelated(iids, pairs, seed)
    table["gwas_included"] = (kept & alone).astype(int)
    table["gwas_exclusion"] = np.where(kept & ~alone, "related", "")
    log.info("%d samples kept, %d families of two or more; %d tested, %d not tested because related", kept.sum(),
             (table["family"].value_counts() > 1).sum(), table["gwas_included"].sum(), (kept & ~alone).sum())  # fmt: skip
    log.info("samples kept in each fold: %s", np.bincount(table["fold"][kept], minlength=settings["folds"]).tolist())
    write_tsv(table[["fid", "iid", "sex", "family", "fold", "gwas_included", "exclusion", "gwas_exclusion"]], output)


def _excluded(candidates: pd.DataFrame, samples: PathLike) -> np.ndarray:
    """Why each candidate is out of everything, or an empty string. Shape (candidates,)."""
    checked = pd.read_parquet(require(samples, "the samples' quality control"))
    rows = rows_of(candidates["iid"], checked["iid"].astype(str))
    absent = set(analysed(candidates)["iid"]) - set(checked["iid"].astype(str))
    if absent:
        raise UserError(
            f"{samples} lacks {len(absent)} samples of the genotypes (IDs of {shape(absent)}): "
            "run the stage genotypes again"
        )
    reasons = np.where(rows >= 0, checked["reason"].to_numpy(dtype=object)[rows], "")
    if "keep" in candidates.columns:
        reasons = np.where(candidates["keep"] == 1, reasons, "not in keep")
    return np.where(candidates["genotypes"] == 1, reasons, "no genotypes")
