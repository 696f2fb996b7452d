"""Loci that models share."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from contigwas.evaluate.ground_truth import ALLELES, linkage
from contigwas.genotypes.reader import GenotypeFiles

LEAD_VARIANT = ["lead_id", "chrom", "pos", *ALLELES]


def shared(
    loci: Mapping[str, pd.DataFrame], genotype_files: GenotypeFiles, samples: pd.Index, kb: float, min_r2: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables `model other loci shared` and `shared private` (by model) of loci with columns `LEAD_VARIANT`.

    Two loci are the same if their lead variants are at most `kb` kilobases apart, or have r2 above `min_r2` among
    `samples`. A row (model, other) counts the loci of model that other also has. The counts of (a, b) and (b, a) can
    differ, because two lead variants of a can match one of b. A shared locus of a model is one that any other model
    has; a private locus is one that no other model has.
    """
    every = pd.concat([one[LEAD_VARIANT] for one in loci.values()], ignore_index=True).astype({"chrom": str})
    variants = every.drop_duplicates()
    r2 = (
        linkage(genotype_files, variants, variants.rename(columns={"lead_id": "id"}), samples)
        if len(loci) > 1
        else None
    )
    number = every.groupby(LEAD_VARIANT, sort=False, dropna=False).ngroup().to_numpy()
    ends = np.cumsum([len(one) for one in loci.values()])
    places = dict(zip(loci, np.split(number, ends[:-1]), strict=True))
    rows, counts = [], {}
    for model, own in loci.items():
        in_any = np.zeros(len(own), bool)
        for other, others in loci.items():
            if other != model:
                in_other = match_loci(own, others, r2[np.ix_(places[model], places[other])], kb, min_r2)
                in_any |= in_other
                rows.append({"model": model, "other": other, "loci": len(own), "shared": int(in_other.sum())})
        counts[model] = {"shared": int(in_any.sum()), "private": int((~in_any).sum())}
    table = pd.DataFrame(rows, columns=["model", "other", "loci", "shared"])
    return table, pd.DataFrame.from_dict(counts, orient="index", columns=["shared", "private"])


def match_loci(own: pd.DataFrame, others: pd.DataFrame, r2: np.ndarray, kb: float, min_r2: float) -> np.ndarray:
    """Return bool (own,): whether each locus of `own` is in `others`; `r2` (own, others) is that of lead variants."""
    same = own["chrom"].astype(str).to_numpy()[:, None] == others["chrom"].astype(str).to_numpy()[None, :]
    apart = np.abs(own["pos"].to_numpy()[:, None] - others["pos"].to_numpy()[None, :])
    return (same & ((apart <= kb * 1000) | (r2 > min_r2))).any(axis=1)
