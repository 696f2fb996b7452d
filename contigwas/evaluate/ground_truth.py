"""Loci against planted variants: which were found, and which loci are false."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.genotypes.chromosome_names import chromosome
from contigwas.genotypes.reader import GenotypeFiles, Genotypes, open_genotypes
from contigwas.loci.table import VARIANT
from contigwas.runtime.atomic_files import PathLike
from contigwas.tables.anndata_io import MISSING
from contigwas.tables.text import MISSING_VALUES, read_table

COLUMNS = ["kind", "chrom", "pos", "id", "latent", "q2"]
ALLELES = ["effect_allele", "other_allele"]


@dataclass(frozen=True)
class Findings:
    """What a model's loci say of the ground truth.

    planted: one row a planted variant, with `found` (0 or 1) and `lead_id`. false_loci: loci near no causal variant.
    """

    planted: pd.DataFrame
    false_loci: int


def read_causes(path: PathLike) -> pd.DataFrame:
    """The table of the ground truth (evaluate.truth), its chromosomes by their plain names, its alleles in upper case."""
    truth = read_table(path, COLUMNS, "evaluate.truth")
    truth["chrom"] = truth["chrom"].map(chromosome)
    for name in truth.columns.intersection(ALLELES):
        given = truth[name].astype(str)
        truth[name] = given.str.upper().astype(object).mask(given.isin(MISSING_VALUES))
    return truth


def read_truth(path: PathLike, large_q2: float) -> pd.DataFrame:
    """All variants large enough to be a locus: the planted ones, and polygenic ones, in the order of the table.

    Those are the polygenic ones that explain at least `large_q2` of a trait's variance, with the causal variants that
    they are linked with (`marginal_q2`; `q2` where the table has no such column).
    """
    truth = read_causes(path)
    size = truth["marginal_q2"] if "marginal_q2" in truth else truth["q2"]
    large = (truth["kind"] == "planted") | ((truth["kind"] == "polygenic") & (size >= large_q2))
    return truth[large].reset_index(drop=True)


def compare(loci: pd.DataFrame, causal: pd.DataFrame, r2: np.ndarray, kb: float, least: float) -> Findings:
    """Match the lead variants of `loci` to `causal` variants: within `kb` thousand base pairs, or r2 above `least`.

    `r2` (loci, causal) are their squared correlations. Each planted variant is counted once, however many loci lie near
    it; its lead_id is that of the first.
    """
    same = loci["chrom"].astype(str).to_numpy()[:, None] == causal["chrom"].to_numpy()[None, :]
    apart = np.abs(loci["pos"].to_numpy()[:, None] - causal["pos"].to_numpy()[None, :])
    near = same & ((apart <= kb * 1000) | (r2 > least))
    planted = (causal["kind"] == "planted").to_numpy()
    hits = near[:, planted]
    found = hits.any(axis=0)
    leads = loci["lead_id"].to_numpy()[hits.argmax(axis=0)] if len(loci) else ""
    table = causal[planted].reset_index(drop=True)
    return Findings(
        table.assign(found=found.astype(int), lead_id=np.where(found, leads, "")), int((~near.any(axis=1)).sum())
    )


def linkage(genotype_files: GenotypeFiles, loci: pd.DataFrame, causal: pd.DataFrame, samples: pd.Index) -> np.ndarray:
    """Squared genotype correlation over `samples` of every lead and every causal variant: float32 (loci, causal).

    `loci` has lead_id chrom pos effect_allele other_allele, `causal` the same with id, or no alleles. 0 for variants of
    two chromosomes, and for those that `locate` does not find.
    """
    r2 = np.zeros((len(loci), len(causal)), np.float32)
    loci = loci.rename(columns={"lead_id": "id"})
    for chrom in sorted(set(loci["chrom"].astype(str)) & set(causal["chrom"].astype(str))):
        bed = open_genotypes(genotype_files, chrom)
        samples_rows = pd.Index(bed.samples["iid"]).get_indexer(samples)
        samples_rows = samples_rows[samples_rows >= 0]
        sides = []
        for table in (loci, causal):
            here = np.flatnonzero(table["chrom"].astype(str) == chrom)
            rows = locate(table.iloc[here], bed)
            sides.append((here[rows >= 0], rows[rows >= 0]))
        if len(samples_rows) < 2 or not all(len(rows) for _, rows in sides):
            continue
        left, right = (standardised(bed.read(rows, samples_rows)) for _, rows in sides)
        r2[np.ix_(sides[0][0], sides[1][0])] = (left.T @ right / len(samples_rows)) ** 2
    return r2


def locate(variants: pd.DataFrame, bed: Genotypes) -> np.ndarray:
    """Where `variants` (pos id, and where known effect_allele other_allele) stand in `bed.variants`: int64, -1 nowhere.

    Found by position, id and alleles, these in either order; of variants that are repeated the first is meant. Without
    alleles a variant that shares position and id with another one is not found.
    """
    there = bed.variants[VARIANT].reset_index(names="row").drop_duplicates(VARIANT)
    there = there[there["pos"].isin(variants["pos"])]
    wanted = variants.reindex(columns=VARIANT).astype(dict.fromkeys(ALLELES, object))
    unknown = wanted[ALLELES].isna().any(axis=1).to_numpy()
    swapped = there.rename(columns=dict(zip(ALLELES, ALLELES[::-1], strict=True)))
    alone = there.drop_duplicates(["pos", "id"], keep=False)
    rows = np.full(len(wanted), -1, np.int64)
    for table, on, asked in ((there, VARIANT, ~unknown), (swapped, VARIANT, ~unknown), (alone, ["pos", "id"], unknown)):
        here = asked & (rows < 0)
        found = wanted.loc[here, on].merge(table[[*on, "row"]], on=on, how="left", validate="many_to_one")["row"]
        rows[here] = found.fillna(-1)
    return rows


def standardised(genotypes: np.ndarray) -> np.ndarray:
    """Zero mean, unit variance, missing calls at the mean; a constant variant is all zero. (samples, variants)"""
    values = np.where(genotypes == MISSING, np.nan, genotypes.astype(float))
    values -= np.nanmean(values, axis=0)
    values = np.nan_to_num(values)
    sd = values.std(axis=0)
    return values / np.where(sd > 0, sd, 1)
