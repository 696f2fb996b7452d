"""Which loci models share."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.evaluate.ground_truth import ALLELES, linkage
from contigwas.genotypes.reader import GenotypeFiles

LEAD = ["lead_id", "chrom", "pos", *ALLELES]


def shared(
    loci: Mapping[str, pd.DataFrame], genotype_files: GenotypeFiles, samples: pd.Index, kb: float, least: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the loci of models (columns `LEAD`): `model other loci shared`; `shared private`, by model.

    Two loci are the same where their leads are at most `kb` thousand base pairs apart, or have r2 above `least` among
    `samples`. A row (model, other) counts the loci of model that other has too, which need not be the other's count: two
    leads may lie near one. A shared locus of a model is one that any other model has, a private one that none has.
    """
    every = pd.concat([one[LEAD] for one in loci.values()], ignore_index=True).astype({"chrom": str})
    leads = every.drop_duplicates()
    r2 = linkage(genotype_files, leads, leads.rename(columns={"lead_id": "id"}), samples) if len(loci) > 1 else None
    number = every.groupby(LEAD, sort=False, dropna=False).ngroup().to_numpy()
    ends = np.cumsum([len(one) for one in loci.values()])
    places = dict(zip(loci, np.split(number, ends[:-1]), strict=True))
    rows, counts = [], {}
    for model, mine in loci.items():
        anywhere = np.zeros(len(mine), bool)
        for other, theirs in loci.items():
            if other != model:
                there = has(mine, theirs, r2[np.ix_(places[model], places[other])], kb, least)
                anywhere |= there
                rows.append({"model": model, "other": other, "loci": len(mine), "shared": int(there.sum())})
        counts[model] = {"shared": int(anywhere.sum()), "private": int((~anywhere).sum())}
    table = pd.DataFrame(rows, columns=["model", "other", "loci", "shared"])
    return table, pd.DataFrame.from_dict(counts, orient="index", columns=["shared", "private"])


def has(mine: pd.DataFrame, theirs: pd.DataFrame, r2: np.ndarray, kb: float, least: float) -> np.ndarray:
    """Whether each locus of `mine` is among `theirs`: bool (mine,). `r2` is that of their leads, (mine, theirs)."""
    same = mine["chrom"].astype(str).to_numpy()[:, None] == theirs["chrom"].astype(str).to_numpy()[None, :]
    apart = np.abs(mine["pos"].to_numpy()[:, None] - theirs["pos"].to_numpy()[None, :])
    return (same & ((apart <= kb * 1000) | (r2 > least))).any(axis=1)
