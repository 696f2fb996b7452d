"""Whether explanations rank the features that the ground truth names: average precision of mean absolute attributions."""

import logging
from collections.abc import Mapping, Sequence

import anndata as ad
import numpy as np
import pandas as pd

from contigwas.evaluate.ground_truth import locate, read_causes, standardised
from contigwas.genotypes.reader import GenotypeFiles, open_genotypes
from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.tables.text import require

log = logging.getLogger(__name__)
COLUMNS = [
    "model",
    "method",
    "modality",
    "features",
    "planted",
    "positives",
    "share",
    "average_precision",
    "low",
    "high",
]
BLOCK = 512  # SNPs that are read at a time
DRAWS = 1000  # of the bootstrap
CAUSES = 5  # variants or genes: fewer, drawn again, are too often all the same


def write_attributions(
    explanations: Mapping[str, PathLike],
    truth: PathLike | None,
    snps: PathLike | None,
    genotype_files: GenotypeFiles,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write attributions.tsv (columns `COLUMNS`): a row a model, method and modality that the ground truth speaks of.

    `explanations` are the features.parquet of the models (method modality feature name mean_abs). Positive are, in the
    modality snps (the matrix `snps`), SNPs with r2 above settings["r2"] with a planted variant in `genotype_files`;
    in burden, features of the genes of the ground truth. All others are negative, also those that tag a polygenic variant.
    planted counts the variants or genes with a positive feature, share is that of positive features, which is
    the average precision to expect of a random order. low and high are the ends of the 95 % interval when planted
    variants (genes) are drawn again, empty with fewer than 5. A header only where there is no truth.
    """
    rows = []
    if truth is not None and explanations:
        known = read_causes(truth)
        tags = snp_tags(known[known["kind"] == "planted"], snps, genotype_files, settings["r2"]) if snps else None
        genes = known.loc[known["kind"] == "gene", "id"].astype(str).unique()
        for model, path in explanations.items():
            table = pd.read_parquet(require(path, "the explanations"))
            for (method, modality), part in table.groupby(["method", "modality"], sort=False):
                found = _positives(str(modality), part, tags, genes)
                if found is not None and found.any():
                    scores = part["mean_abs"].to_numpy(float)
                    rows.append({"model": model, "method": method, "modality": modality,
                                 **ranked(scores, found, int(settings["seed"]))})  # fmt: skip
    write_tsv(pd.DataFrame(rows, columns=COLUMNS), output)
    log.info("%d rankings of features compared with the ground truth", len(rows))


def snp_tags(planted: pd.DataFrame, snps: PathLike, genotype_files: GenotypeFiles, least: float) -> pd.DataFrame:
    """Which SNPs of the matrix tag which planted variants: bool (SNPs, planted), r2 above `least` among its samples.

    `planted` has chrom pos id, and alleles where known. A variant tags itself. Only SNPs of the variant's chromosome
    can tag it, and none tags a variant that `truth.locate` does not find.
    """
    data = ad.read_h5ad(require(snps, "the SNP matrix"), backed="r")
    chroms = data.var["chrom"].astype(str).to_numpy()
    tags = np.zeros((data.n_vars, len(planted)), bool)
    for chrom in dict.fromkeys(planted["chrom"]):
        those = np.flatnonzero((planted["chrom"] == chrom).to_numpy())
        columns = np.flatnonzero(chroms == chrom)
        if not len(columns):
            continue
        bed = open_genotypes(genotype_files, chrom)
        places = locate(planted.iloc[those], bed)
        those, places = those[places >= 0], places[places >= 0]
        rows = pd.Index(bed.samples["iid"]).get_indexer(data.obs_names)
        shared = rows >= 0
        if not len(those) or shared.sum() < 2:
            continue
        causal = standardised(bed.read(places, rows[shared]))
        for start in range(0, len(columns), BLOCK):
            block = columns[start : start + BLOCK]
            left = standardised(np.asarray(data.X[:, block[0] : block[-1] + 1])[shared][:, block - block[0]])
            tags[np.ix_(block, those)] = (left.T @ causal / shared.sum()) ** 2 > least
    data.file.close()
    return pd.DataFrame(tags, index=data.var_names, columns=planted["id"].to_numpy())


def _positives(modality: str, part: pd.DataFrame, tags: pd.DataFrame | None, genes: Sequence[str]) -> np.ndarray | None:
    """Which features belong to which variant or gene of the ground truth, bool (features, causes); None: it says nothing."""
    if modality == "snps" and tags is not None:
        return tags.reindex(part["feature"], fill_value=False).to_numpy(bool)
    if modality == "burden":
        names = part["name"].astype(str).to_numpy()
        return np.array([names == gene for gene in genes], bool).reshape(len(genes), len(names)).T
    return None


def ranked(scores: np.ndarray, found: np.ndarray, seed: int) -> dict[str, float]:
    """Average precision of `scores` (features,) for the features of any cause: `found` is (features, causes).

    The interval resamples causes: a positive feature then weighs as often as its causes are drawn, on average over
    those that it has, and one whose causes are not drawn is neither positive nor negative. NaN with fewer than 5.
    """
    found = found[:, found.any(axis=0)]
    positive, causes = found.any(axis=1), found.shape[1]
    order = np.argsort(-scores, kind="stable")
    positive, found, scores = positive[order], found[order], scores[order]
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of the runs of equal scores
    value = average_precision(positive, np.ones(len(scores)), ends)
    rng = np.random.default_rng(seed)
    shares = found[positive] / found[positive].sum(axis=1, keepdims=True)
    draws = []
    for _ in range(DRAWS if causes >= CAUSES else 0):
        weights = np.ones(len(scores))
        weights[positive] = shares @ np.bincount(rng.integers(causes, size=causes), minlength=causes)
        draws.append(average_precision(positive, weights, ends))
    low, high = np.percentile(draws, [2.5, 97.5]) if draws else (np.nan, np.nan)
    counts = {"features": len(scores), "planted": causes, "positives": int(positive.sum())}
    counts["share"] = float(positive.mean())
    return counts | {"average_precision": value, "low": float(low), "high": float(high)}


def average_precision(positive: np.ndarray, weights: np.ndarray, ends: np.ndarray) -> float:
    """Sum over thresholds of precision times the rise in recall; features in descending order, `ends` of ties."""
    hits, all_of_them = np.cumsum(weights * positive)[ends], np.cumsum(weights)[ends]
    rises = np.diff(hits, prepend=0.0) / hits[-1]
    return float((rises * hits / np.where(all_of_them > 0, all_of_them, 1)).sum())
