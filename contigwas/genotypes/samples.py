"""Quality control of samples: call rate, heterozygosity, and genetic sex from chromosome X."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from contigwas.runtime.atomic_files import PathLike, write_parquet
from contigwas.runtime.errors import UserError
from contigwas.tables.text import require

log = logging.getLogger(__name__)

MALE, FEMALE = 1, 2


def samples_qc(
    counts_paths: Sequence[PathLike],
    settings: Mapping[str, object],
    output: PathLike,
    x: PathLike | None = None,
) -> None:
    """Write the table of sample QC: `iid call_rate heterozygosity f f_x genetic_sex kept reason`.

    `counts_paths` are the sample counts that `variant_qc` wrote for each autosome, `x` those of chromosome X.
    `heterozygosity` is the share of heterozygous calls. `f` is the inbreeding coefficient 1 - observed / expected
    heterozygous calls (method of moments, as in plink2 --het). `f_x` is the same for X-linked variants, about 1 in
    males and 0 in females. `genetic_sex` is 1 if `f_x` is at least `min_male_xf`, 2 if it is at most `max_female_xf`,
    else 0. Without `x`, `f_x` is NaN and `genetic_sex` is 0.

    `reason` is the first that applies: `call rate` (below `sample_call_rate`), `heterozygosity` (more than
    `settings["heterozygosity"]` SDs from the mean of the samples with a sufficient call rate) or `sex` (`sex_check` is
    `drop`, and the genetic sex differs from the reported sex). Raises UserError when no variant or no sample is left.
    """
    total = _sum_counts(counts_paths)
    call_rate = (total["called"] / total["variants"]).to_numpy()
    heterozygosity = (total["hets"] / total["called"].where(total["called"] > 0)).to_numpy()
    f_x, genetic = _genetic_sex(x, total.index, settings)
    reason = np.where(call_rate < settings["sample_call_rate"], "call rate", "").astype(object)
    _set_reason(reason, _outliers(heterozygosity, reason == "", settings["heterozygosity"]), "heterozygosity")
    reported_sex = total["sex"].to_numpy()
    sex_mismatch = (genetic > 0) & np.isin(reported_sex, (MALE, FEMALE)) & (genetic != reported_sex)
    if x is not None:
        counts = (genetic == MALE).sum(), (genetic == FEMALE).sum(), (genetic == 0).sum(), sex_mismatch.sum()
        log.info("genetic sex from X: %d males, %d females, %d undetermined; %d differ from the reported sex", *counts)
    if settings["sex_check"] == "drop":
        _set_reason(reason, sex_mismatch, "sex")
    kept = reason == ""
    reported = ", ".join(f"{count} {why}" for why, count in Counter(reason[~kept]).items()) or "none"
    log.info("%d of %d samples kept; dropped: %s", kept.sum(), len(kept), reported)
    if not kept.any():
        raise UserError(
            f"genotypes.qc: none of the {len(kept)} samples passes quality control (dropped: {reported}; the highest "
            f"call rate is {call_rate.max():.3f}). Relax genotypes.qc."
        )
    columns = {"iid": total.index, "call_rate": call_rate, "heterozygosity": heterozygosity, "f": _inbreeding(total)}
    columns |= {"f_x": f_x, "genetic_sex": genetic.astype(np.int8), "kept": kept, "reason": reason}
    write_parquet(pd.DataFrame(columns), output)


def read_passing_iids(path: PathLike) -> np.ndarray:
    """Read the IIDs of the samples that passed QC from the table that `samples_qc` wrote: str (samples,)."""
    table = pd.read_parquet(require(Path(path), "the samples' quality control"))
    return table.loc[table["kept"], "iid"].to_numpy(dtype=str)


def _sum_counts(counts_paths: Sequence[PathLike]) -> pd.DataFrame:
    """Sum the counts of all files, one row per sample. Raises UserError when no variant is left."""
    total, reasons = None, Counter()
    for path in counts_paths:
        table = pd.read_parquet(require(path, "the samples' counts of called variants"))
        reasons.update(table.attrs.get("reasons", {}))
        counts = table.set_index("iid")
        if total is None:
            total = counts
            continue
        if set(total.index) != set(counts.index):
            raise UserError(
                f"{path} and {counts_paths[0]} contain different samples. Run the whole stage genotypes again."
            )
        columns = ["called", "variants", "hets", "expected"]
        total[columns] += counts.loc[total.index, columns]
    if not total["variants"].iat[0]:
        reported = ", ".join(f"{count} {why.removeprefix('dropped: ')}" for why, count in reasons.items() if ":" in why)
        raise UserError(
            f"genotypes.qc: none of the {reasons['variants']} variants passes quality control (dropped: "
            f"{reported or 'reason unknown'}). Relax genotypes.qc."
        )
    return total


def _inbreeding(counts: pd.DataFrame) -> np.ndarray:
    """Compute 1 - observed / expected heterozygous calls: float64 (samples,); NaN if none is expected."""
    hets, expected = counts["hets"].to_numpy(np.float64), counts["expected"].to_numpy(np.float64)
    return 1 - np.divide(hets, expected, out=np.full(hets.size, np.nan), where=expected > 0)


def _genetic_sex(x: PathLike | None, iids: pd.Index, settings: Mapping[str, object]) -> tuple[np.ndarray, np.ndarray]:
    """Return the inbreeding coefficient on X and the genetic sex: 1, 2, or 0 if undetermined."""
    if x is None:
        return np.full(len(iids), np.nan), np.zeros(len(iids), np.int8)
    counts = pd.read_parquet(require(x, "the samples' counts on chromosome X")).set_index("iid")
    f_x = _inbreeding(counts.reindex(iids))
    return f_x, np.where(f_x >= settings["min_male_xf"], MALE, np.where(f_x <= settings["max_female_xf"], FEMALE, 0))


def _outliers(values: np.ndarray, among: np.ndarray, sds: float | None) -> np.ndarray:
    """Return which values are more than `sds` SDs from the mean of those in `among`: bool; none if `sds` is None."""
    if sds is None or not among.any():
        return np.zeros(values.size, bool)
    mean, sd = np.nanmean(values[among]), np.nanstd(values[among])
    return np.abs(values - mean) > sds * sd


def _set_reason(reason: np.ndarray, mask: np.ndarray, why: str) -> None:
    """Set the reason of the samples in `mask` that have none yet, in place."""
    reason[mask & (reason == "")] = why
