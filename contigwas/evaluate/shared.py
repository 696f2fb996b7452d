"""Which loci models share."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.evaluate.truth import linkage


def shared(
    loci: Mapping[str, pd.DataFrame], pattern: str, people: pd.Index, kb: float, least: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the loci of models (columns lead_id, chrom, pos): `model other loci shared`; `shared private`, by model.

    Two loci are the same where their leads are at most `kb` thousand base pairs apart, or have r2 above `least` among
    `people`. A row (model, other) counts the loci of model that other has too, which need not be the other's count: two
    leads may lie near one. A shared locus of a model is one that any other model has, a private one that none has.
    """
    leads = pd.concat([one[["lead_id", "chrom", "pos"]] for one in loci.values()], ignore_index=True)
    leads = leads.astype({"chrom": str}).drop_duplicates()
    r2 = linkage(pattern, leads, leads.rename(columns={"lead_id": "id"}), people) if len(loci) > 1 else {}
    rows, counts = [], {}
    for model, mine in loci.items():
        anywhere = np.zeros(len(mine), bool)
        for other, theirs in loci.items():
            if other != model:
                there = has(mine, theirs, r2, kb, least)
                anywhere |= there
                rows.append({"model": model, "other": other, "loci": len(mine), "shared": int(there.sum())})
        counts[model] = {"shared": int(anywhere.sum()), "private": int((~anywhere).sum())}
    table = pd.DataFrame(rows, columns=["model", "other", "loci", "shared"])
    return table, pd.DataFrame.from_dict(counts, orient="index", columns=["shared", "private"])


def has(
    mine: pd.DataFrame, theirs: pd.DataFrame, r2: Mapping[tuple[str, str], float], kb: float, least: float
) -> np.ndarray:
    """Whether each locus of `mine` is among `theirs`: bool (loci,). `r2` maps pairs of lead ids; absent ones are 0."""
    if not len(mine) or not len(theirs):
        return np.zeros(len(mine), bool)
    same = mine["chrom"].astype(str).to_numpy()[:, None] == theirs["chrom"].astype(str).to_numpy()[None, :]
    apart = np.abs(mine["pos"].to_numpy()[:, None] - theirs["pos"].to_numpy()[None, :])
    linked = [[r2.get((one, other), 0.0) > least for other in theirs["lead_id"]] for one in mine["lead_id"]]
    return (same & ((apart <= kb * 1000) | np.array(linked, bool))).any(axis=1)
