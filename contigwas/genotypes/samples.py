"""Quality control of samples: calls, heterozygosity, and sex as the X chromosome shows it."""

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
    missing: Sequence[PathLike],
    settings: Mapping[str, object],
    output: PathLike,
    x: PathLike | None = None,
) -> None:
    """Add up the samples' counts of all autosomes; write `iid call_rate heterozygosity f f_x genetic_sex kept reason`.

    `missing` are the counts that `variant_qc` wrote of each autosome, `x` those of chromosome X. `heterozygosity` is
    the share of heterozygotes among the calls, `f` the inbreeding coefficient 1 - observed / expected heterozygotes (by
    the method of moments, as plink2 --het), `f_x` the same of X-linked variants, about 1 in males and 0 in females, and
    `genetic_sex` 1 where it is at least `min_male_xf`, 2 where it is at most `max_female_xf`, else 0; without `x`, NaN and 0.
    Reasons, the first that applies: `call rate` below `sample_call_rate`; `heterozygosity` more than that many SDs from
    the mean of the others, where `settings["heterozygosity"]` says how many; `sex`, where `sex_check` is `drop` and the
    genetic sex is another than the known one. Raises UserError when no variant or no sample is left.
    """
    total = _added(missing)
    call_rate = (total["called"] / total["variants"]).to_numpy()
    heterozygosity = (total["hets"] / total["called"].where(total["called"] > 0)).to_numpy()
    f_x, genetic = _genetic_sex(x, total.index, settings)
    reason = np.where(call_rate < settings["sample_call_rate"], "call rate", "").astype(object)
    _drop(reason, _outliers(heterozygosity, reason == "", settings["heterozygosity"]), "heterozygosity")
    known = total["sex"].to_numpy()
    another = (genetic > 0) & np.isin(known, (MALE, FEMALE)) & (genetic != known)
    if x is not None:
        counts = (genetic == MALE).sum(), (genetic == FEMALE).sum(), (genetic == 0).sum(), another.sum()
        log.info("X shows %d males, %d females, %d neither; %d another sex than the genotypes' tables say", *counts)
    if settings["sex_check"] == "drop":
        _drop(reason, another, "sex")
    kept = reason == ""
    reported = ", ".join(f"{count} {why}" for why, count in Counter(reason[~kept]).items()) or "none"
    log.info("%d of %d samples kept; dropped: %s", kept.sum(), len(kept), reported)
    if not kept.any():
        raise UserError(
            f"none of the {len(kept)} samples is left after quality control (dropped: {reported}; the best call rate is "
            f"{call_rate.max():.3f}): relax genotypes.qc"
        )
    columns = {"iid": total.index, "call_rate": call_rate, "heterozygosity": heterozygosity, "f": _f(total)}
    columns |= {"f_x": f_x, "genetic_sex": genetic.astype(np.int8), "kept": kept, "reason": reason}
    write_parquet(pd.DataFrame(columns), output)


def read_passing_iids(path: PathLike) -> np.ndarray:
    """The IIDs kept in the table that `samples_qc` wrote, in its order; strings."""
    table = pd.read_parquet(require(Path(path), "the samples' quality control"))
    return table.loc[table["kept"], "iid"].to_numpy(dtype=str)


def _added(missing: Sequence[PathLike]) -> pd.DataFrame:
    """The counts of all files, one row a sample; UserError where no variant is left."""
    total, reasons = None, Counter()
    for path in missing:
        table = pd.read_parquet(require(path, "the samples' counts of called variants"))
        reasons.update(table.attrs.get("reasons", {}))
        counts = table.set_index("iid")
        if total is None:
            total = counts
            continue
        if set(total.index) != set(counts.index):
            raise UserError(
                f"{path} and {missing[0]} count other samples: run the stage genotypes again from its start"
            )
        add = ["called", "variants", "hets", "expected"]
        total[add] += counts.loc[total.index, add]
    if not total["variants"].iat[0]:
        reported = ", ".join(f"{count} {why.removeprefix('dropped: ')}" for why, count in reasons.items() if ":" in why)
        raise UserError(
            f"none of the {reasons['variants']} variants of the genotypes is left after quality control (dropped: "
            f"{reported or 'no reason known'}): relax genotypes.qc"
        )
    return total


def _f(counts: pd.DataFrame) -> np.ndarray:
    """1 - observed / expected heterozygotes; NaN where none is to be expected."""
    hets, expected = counts["hets"].to_numpy(np.float64), counts["expected"].to_numpy(np.float64)
    return 1 - np.divide(hets, expected, out=np.full(hets.size, np.nan), where=expected > 0)


def _genetic_sex(x: PathLike | None, iids: pd.Index, settings: Mapping[str, object]) -> tuple[np.ndarray, np.ndarray]:
    """f of X, and the sex that it shows: 1, 2, or 0 where it does not."""
    if x is None:
        return np.full(len(iids), np.nan), np.zeros(len(iids), np.int8)
    counts = pd.read_parquet(require(x, "the samples' counts on chromosome X")).set_index("iid")
    f_x = _f(counts.reindex(iids))
    return f_x, np.where(f_x >= settings["min_male_xf"], MALE, np.where(f_x <= settings["max_female_xf"], FEMALE, 0))


def _outliers(values: np.ndarray, among: np.ndarray, sds: float | None) -> np.ndarray:
    """Who is more than `sds` standard deviations from the mean of those `among`: bool; nobody where it is None."""
    if sds is None or not among.any():
        return np.zeros(values.size, bool)
    mean, sd = np.nanmean(values[among]), np.nanstd(values[among])
    return np.abs(values - mean) > sds * sd


def _drop(reason: np.ndarray, who: np.ndarray, why: str) -> None:
    """Give a reason, in place, to those who have none yet."""
    reason[who & (reason == "")] = why
