"""Comparison of loci with simulated causal variants: planted variants that were found, and false loci."""

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
    """Comparison of the loci of a model with the ground truth.

    planted: one row per planted variant, with `found` (0 or 1) and `lead_id`; false_loci: number of loci that are near
    no causal variant.
    """

    planted: pd.DataFrame
    false_loci: int


def read_causes(path: PathLike) -> pd.DataFrame:
    """Read the table of causal variants (evaluate.truth), with plain chromosome names and alleles in upper case."""
    truth = read_table(path, COLUMNS, "evaluate.truth")
    truth["chrom"] = truth["chrom"].map(chromosome)
    for name in truth.columns.intersection(ALLELES):
        alleles = truth[name].astype(str)
        truth[name] = alleles.str.upper().astype(object).mask(alleles.isin(MISSING_VALUES))
    return truth


def read_truth(path: PathLike, large_q2: float) -> pd.DataFrame:
    """Return causal variants that can be a locus: all planted and large polygenic ones, in the order of the table.

    These polygenic variants explain at least `large_q2` of the variance of a trait, including the effects of linked
    causal variants (`marginal_q2`, or `q2` if the table has no such column).
    """
    truth = read_causes(path)
    size = truth["marginal_q2"] if "marginal_q2" in truth else truth["q2"]
    large = (truth["kind"] == "planted") | ((truth["kind"] == "polygenic") & (size >= large_q2))
    return truth[large].reset_index(drop=True)


def compare(loci: pd.DataFrame, causal: pd.DataFrame, r2: np.ndarray, kb: float, min_r2: float) -> Findings:
    """Match lead variants of `loci` to `causal` variants at most `kb` kilobases apart or with r2 above `min_r2`.

    `r2` (loci, causal) are squared correlations. A planted variant is counted once, even if several loci are near it;
    its lead_id is that of the first locus.
    """
    same = loci["chrom"].astype(str).to_numpy()[:, None] == causal["chrom"].to_numpy()[None, :]
    apart = np.abs(loci["pos"].to_numpy()[:, None] - causal["pos"].to_numpy()[None, :])
    near = same & ((apart <= kb * 1000) | (r2 > min_r2))
    planted = (causal["kind"] == "planted").to_numpy()
    hits = near[:, planted]
    found = hits.any(axis=0)
    lead_ids = loci["lead_id"].to_numpy()[hits.argmax(axis=0)] if len(loci) else ""
    table = causal[planted].reset_index(drop=True)
    return Findings(
        table.assign(found=found.astype(int), lead_id=np.where(found, lead_ids, "")), int((~near.any(axis=1)).sum())
    )


def linkage(genotype_files: GenotypeFiles, loci: pd.DataFrame, causal: pd.DataFrame, samples: pd.Index) -> np.ndarray:
    """Return squared genotype correlations of lead and causal variants among `samples`: float32 (loci, causal).

    `loci` has lead_id chrom pos effect_allele other_allele; `causal` has id instead of lead_id, and alleles are
    optional. The value is 0 for variants of different chromosomes, and for variants that `locate` does not find.
    """
    r2 = np.zeros((len(loci), len(causal)), np.float32)
    loci = loci.rename(columns={"lead_id": "id"})
    for chrom in sorted(set(loci["chrom"].astype(str)) & set(causal["chrom"].astype(str))):
        bed = open_genotypes(genotype_files, chrom)
        samples_rows = pd.Index(bed.samples["iid"]).get_indexer(samples)
        samples_rows = samples_rows[samples_rows >= 0]
        sides = []
        for table in (loci, causal):
            of_chrom = np.flatnonzero(table["chrom"].astype(str) == chrom)
            rows = locate(table.iloc[of_chrom], bed)
            sides.append((of_chrom[rows >= 0], rows[rows >= 0]))
        if len(samples_rows) < 2 or not all(len(rows) for _, rows in sides):
            continue
        left, right = (standardised(bed.read(rows, samples_rows)) for _, rows in sides)
        r2[np.ix_(sides[0][0], sides[1][0])] = (left.T @ right / len(samples_rows)) ** 2
    return r2


def locate(variants: pd.DataFrame, bed: Genotypes) -> np.ndarray:
    """Return rows of `variants` (pos id, and alleles if known) in `bed.variants`: int64 (variants,), -1 if not found.

    Variants are matched by position, ID and alleles in either order; of duplicated variants the first is used. A
    variant without alleles is not found if several variants have its position and ID.
    """
    genotyped = bed.variants[VARIANT].reset_index(names="row").drop_duplicates(VARIANT)
    genotyped = genotyped[genotyped["pos"].isin(variants["pos"])]
    wanted = variants.reindex(columns=VARIANT).astype(dict.fromkeys(ALLELES, object))
    unknown = wanted[ALLELES].isna().any(axis=1).to_numpy()
    swapped = genotyped.rename(columns=dict(zip(ALLELES, ALLELES[::-1], strict=True)))
    unique = genotyped.drop_duplicates(["pos", "id"], keep=False)
    rows = np.full(len(wanted), -1, np.int64)
    for table, on, use in (
        (genotyped, VARIANT, ~unknown),
        (swapped, VARIANT, ~unknown),
        (unique, ["pos", "id"], unknown),
    ):
        left = use & (rows < 0)
        matched = wanted.loc[left, on].merge(table[[*on, "row"]], on=on, how="left", validate="many_to_one")["row"]
        rows[left] = matched.fillna(-1)
    return rows


def standardised(genotypes: np.ndarray) -> np.ndarray:
    """Return genotypes (samples, variants) with mean 0 and variance 1; missing calls and constant variants are 0."""
    values = np.where(genotypes == MISSING, np.nan, genotypes.astype(float))
    values -= np.nanmean(values, axis=0)
    values = np.nan_to_num(values)
    sd = values.std(axis=0)
    return values / np.where(sd > 0, sd, 1)
