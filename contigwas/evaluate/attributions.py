"""Average precision of mean absolute attributions for features that are causal in the ground truth."""

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
BLOCK = 512  # SNPs read at once
DRAWS = 1000  # of the bootstrap
MIN_CAUSES = 5  # variants or genes: with fewer, bootstrap draws are too often identical


def write_attributions(
    explanations: Mapping[str, PathLike],
    ground_truth: PathLike | None,
    snps: PathLike | None,
    genotype_files: GenotypeFiles,
    settings: Mapping[str, object],
    output: PathLike,
) -> None:
    """Write attributions.tsv (`COLUMNS`): one row per model, method and modality that the ground truth covers.

    `explanations` are the features.parquet of the models (method modality feature name mean_abs). Positive features of
    the modality snps (the matrix `snps`) are SNPs with r2 above settings["r2"] with a planted variant in the genotypes
    `genotype_files`. Positive features of burden are those of genes in the ground truth. All others are negative,
    including SNPs that tag a polygenic variant. planted counts variants or genes with a positive feature; share is the
    fraction of positive features, the expected average precision of a random order. low and high are a 95 % bootstrap
    interval over planted variants (genes), empty with fewer than 5. Without a ground truth the table has no rows.
    """
    rows = []
    if ground_truth is not None and explanations:
        causes = read_causes(ground_truth)
        tags = snp_tags(causes[causes["kind"] == "planted"], snps, genotype_files, settings["r2"]) if snps else None
        genes = causes.loc[causes["kind"] == "gene", "id"].astype(str).unique()
        for model, path in explanations.items():
            table = pd.read_parquet(require(path, "the explanations"))
            for (method, modality), part in table.groupby(["method", "modality"], sort=False):
                member = _features_by_cause(str(modality), part, tags, genes)
                if member is not None and member.any():
                    scores = part["mean_abs"].to_numpy(float)
                    rows.append({"model": model, "method": method, "modality": modality,
                                 **score_ranking(scores, member, int(settings["seed"]))})  # fmt: skip
    write_tsv(pd.DataFrame(rows, columns=COLUMNS), output)
    log.info("%d rankings of features compared with the ground truth", len(rows))


def snp_tags(planted: pd.DataFrame, snps: PathLike, genotype_files: GenotypeFiles, min_r2: float) -> pd.DataFrame:
    """Return which SNPs of the matrix tag which planted variants: bool (SNPs, planted).

    A SNP tags a variant of the same chromosome if their r2 is above `min_r2` among the samples of the matrix. A variant
    tags itself. `planted` has chrom pos id, and alleles if known. Variants that `locate` does not find have no tags.
    """
    data = ad.read_h5ad(require(snps, "the SNP matrix"), backed="r")
    chroms = data.var["chrom"].astype(str).to_numpy()
    tags = np.zeros((data.n_vars, len(planted)), bool)
    for chrom in dict.fromkeys(planted["chrom"]):
        of_chrom = np.flatnonzero((planted["chrom"] == chrom).to_numpy())
        columns = np.flatnonzero(chroms == chrom)
        if not len(columns):
            continue
        bed = open_genotypes(genotype_files, chrom)
        places = locate(planted.iloc[of_chrom], bed)
        of_chrom, places = of_chrom[places >= 0], places[places >= 0]
        rows = pd.Index(bed.samples["iid"]).get_indexer(data.obs_names)
        shared = rows >= 0
        if not len(of_chrom) or shared.sum() < 2:
            continue
        causal = standardised(bed.read(places, rows[shared]))
        for start in range(0, len(columns), BLOCK):
            block = columns[start : start + BLOCK]
            left = standardised(np.asarray(data.X[:, block[0] : block[-1] + 1])[shared][:, block - block[0]])
            tags[np.ix_(block, of_chrom)] = (left.T @ causal / shared.sum()) ** 2 > min_r2
    data.file.close()
    return pd.DataFrame(tags, index=data.var_names, columns=planted["id"].to_numpy())


def _features_by_cause(
    modality: str, part: pd.DataFrame, tags: pd.DataFrame | None, genes: Sequence[str]
) -> np.ndarray | None:
    """Return bool (features, causes): which features belong to which causal variant or gene; None if not covered."""
    if modality == "snps" and tags is not None:
        return tags.reindex(part["feature"], fill_value=False).to_numpy(bool)
    if modality == "burden":
        names = part["name"].astype(str).to_numpy()
        return np.array([names == gene for gene in genes], bool).reshape(len(genes), len(names)).T
    return None


def score_ranking(scores: np.ndarray, member: np.ndarray, seed: int) -> dict[str, float]:
    """Return average precision, interval and counts for `scores` (features,); `member` is bool (features, causes).

    A feature is positive if it belongs to any cause. The interval is a bootstrap over causes: the weight of a positive
    feature is the mean number of times that its causes are drawn; a feature whose causes are not drawn is ignored. The
    interval is NaN with fewer than 5 causes.
    """
    member = member[:, member.any(axis=0)]
    positive, causes = member.any(axis=1), member.shape[1]
    order = np.argsort(-scores, kind="stable")
    positive, member, scores = positive[order], member[order], scores[order]
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of runs of equal scores
    value = average_precision(positive, np.ones(len(scores)), ends)
    rng = np.random.default_rng(seed)
    shares = member[positive] / member[positive].sum(axis=1, keepdims=True)
    draws = []
    for _ in range(DRAWS if causes >= MIN_CAUSES else 0):
        weights = np.ones(len(scores))
        weights[positive] = shares @ np.bincount(rng.integers(causes, size=causes), minlength=causes)
        draws.append(average_precision(positive, weights, ends))
    low, high = np.percentile(draws, [2.5, 97.5]) if draws else (np.nan, np.nan)
    counts = {"features": len(scores), "planted": causes, "positives": int(positive.sum())}
    counts["share"] = float(positive.mean())
    return counts | {"average_precision": value, "low": float(low), "high": float(high)}


def average_precision(positive: np.ndarray, weights: np.ndarray, ends: np.ndarray) -> float:
    """Return the sum over thresholds of precision times the increase in recall.

    Features are in descending order of their scores; `ends` are the last positions of runs of equal scores.
    """
    hits, selected = np.cumsum(weights * positive)[ends], np.cumsum(weights)[ends]
    rises = np.diff(hits, prepend=0.0) / hits[-1]
    return float((rises * hits / np.where(selected > 0, selected, 1)).sum())
