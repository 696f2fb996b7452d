"""Loci against planted variants: which were found, and which loci are false."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.files import PathLike, read_table
from contigwas.genotypes.reader import open_genotypes
from contigwas.modality import MISSING

COLUMNS = ["kind", "chrom", "pos", "id", "latent", "q2"]


@dataclass(frozen=True)
class Findings:
    """What a model's loci say of the truth.

    planted: one row a planted variant, with `found` (0 or 1) and `lead_id`. false_loci: loci near no causal variant.
    """

    planted: pd.DataFrame
    false_loci: int


@dataclass(frozen=True)
class Truth:
    """What causes the traits: `planted` variants, and all that are `large` enough to be a locus (see `read_truth`)."""

    planted: pd.DataFrame
    large: pd.DataFrame

    @classmethod
    def read(cls, path: PathLike, large_q2: float) -> "Truth":
        """From the table of the truth."""
        return cls(*read_truth(path, large_q2))


def read_truth(path: PathLike, large_q2: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The planted variants, and all variants large enough to be a locus.

    These are the planted ones and the polygenic ones that explain at least `large_q2` of a trait's variance, with the
    causal variants that they are linked with (`marginal_q2`; `q2` where the table has no such column).
    """
    truth = read_table(path, COLUMNS, "evaluate.truth")
    truth["chrom"] = truth["chrom"].astype(str)
    variants = truth[truth["kind"].isin(["planted", "polygenic"])]
    planted = variants[variants["kind"] == "planted"].reset_index(drop=True)
    size = variants["marginal_q2"] if "marginal_q2" in variants else variants["q2"]
    large = variants[(variants["kind"] == "planted") | (size >= large_q2)].reset_index(drop=True)
    return planted, large


def compare(
    loci: pd.DataFrame,
    planted: pd.DataFrame,
    large: pd.DataFrame,
    r2: Mapping[tuple[str, str], float],
    kb: float,
    least: float,
) -> Findings:
    """Match the lead variants of `loci` to causal variants: within `kb` thousand base pairs, or r2 above `least`.

    `r2` maps (lead id, causal id) to their squared correlation; absent pairs count as 0. Each planted variant is
    counted once, however many loci lie near it.
    """

    def near(lead: pd.Series, causal: pd.DataFrame) -> np.ndarray:
        same = (causal["chrom"] == str(lead["chrom"])).to_numpy()
        close = (causal["pos"] - lead["pos"]).abs().to_numpy() <= kb * 1000
        linked = np.array([r2.get((lead["lead_id"], one), 0.0) > least for one in causal["id"]], dtype=bool)
        return same & (close | linked)

    found = np.zeros(len(planted), dtype=int)
    lead_of = np.full(len(planted), "", dtype=object)
    false = 0
    for _, lead in loci.iterrows():
        hits = near(lead, planted)
        lead_of[hits & (found == 0)] = lead["lead_id"]
        found[hits] = 1
        false += not near(lead, large).any()
    return Findings(planted.assign(found=found, lead_id=lead_of), int(false))


def linkage(pattern: str, loci: pd.DataFrame, causal: pd.DataFrame, people: pd.Index) -> dict[tuple[str, str], float]:
    """Squared genotype correlation of every lead with every causal variant of its chromosome, over `people`."""
    pairs: dict[tuple[str, str], float] = {}
    for chrom in sorted(set(loci["chrom"].astype(str)) & set(causal["chrom"])):
        bed = open_genotypes(pattern, chrom)
        again = bed.variants["id"].duplicated()
        ids = pd.Index(bed.variants["id"].where(~again, bed.variants.index.astype(str) + " again"))
        leads = [one for one in loci.loc[loci["chrom"].astype(str) == chrom, "lead_id"] if one in ids]
        others = [one for one in causal.loc[causal["chrom"] == chrom, "id"] if one in ids]
        rows = pd.Index(bed.people["iid"]).get_indexer(people)
        rows = rows[rows >= 0]
        if not leads or not others or len(rows) < 2:
            continue
        left, right = (standardised(bed.read(ids.get_indexer(names), rows)) for names in (leads, others))
        squared = (left.T @ right / len(rows)) ** 2
        pairs.update({(a, b): squared[i, j] for i, a in enumerate(leads) for j, b in enumerate(others)})
    return pairs


def standardised(genotypes: np.ndarray) -> np.ndarray:
    """Zero mean, unit variance, missing calls at the mean; a constant variant is all zero. (people, variants)"""
    values = np.where(genotypes == MISSING, np.nan, genotypes.astype(float))
    values -= np.nanmean(values, axis=0)
    values = np.nan_to_num(values)
    sd = values.std(axis=0)
    return values / np.where(sd > 0, sd, 1)
