"""The variants of every gene's set, and which masks each of them is annotated for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.burden.names import UNKNOWN, Names


@dataclass(frozen=True)
class Members:
    """Pairs of a gene and a variant of its set, each once, by gene.

    genes: DataFrame `gene pos`, a row a gene; gene: int64 (pairs,), row of `genes`; row: int64 (pairs,), where the
    variant stands in the genotypes, or names.UNKNOWN or names.REPEATED; annotated: bool (pairs,), for this gene;
    masks: bool (masks, pairs), whether any of its categories for this gene is in the mask; unlisted: annotations of a
    variant that the set of their gene does not list.
    """

    genes: pd.DataFrame
    gene: np.ndarray
    row: np.ndarray
    annotated: np.ndarray
    masks: np.ndarray
    unlisted: int


def of_sets(sets: pd.DataFrame, annotations: pd.DataFrame, names: Names, masks: Mapping[str, Sequence[str]]) -> Members:
    """Members of the listed sets (`gene pos variants`) of one chromosome. Genes in the order of `sets`."""
    genes = pd.Index(sets["gene"])
    listed = sets["variants"].str.split(",").explode()
    number = np.repeat(np.arange(len(sets)), sets["variants"].str.count(",").to_numpy() + 1)
    filled = (listed != "").to_numpy()
    listed, number = listed[filled], number[filled]
    of_category = genes.get_indexer(annotations["gene"].cat.categories)
    gene = of_category[annotations["gene"].cat.codes.to_numpy()]
    here = np.flatnonzero(gene >= 0)
    annotations, gene = annotations.iloc[here], gene[here]

    row, annotated_row = names.rows(listed), names.rows(annotations["variant"], annotations.get("place"))
    code, annotated_code = _codes(names.count, (row, listed), (annotated_row, annotations["variant"]))
    width = max(code.max(initial=0), annotated_code.max(initial=0)) + 1
    key, first = np.unique(number * width + code, return_index=True)
    annotated_key = gene * width + annotated_code
    return Members(
        genes=sets[["gene", "pos"]].reset_index(drop=True),
        gene=key // width,
        row=row[first],
        annotated=np.isin(key, annotated_key),
        masks=_masks(key, annotated_key, annotations["category"], masks),
        unlisted=int((~np.isin(annotated_key, key)).sum()),
    )


def of_annotations(
    annotations: pd.DataFrame, variants: pd.DataFrame, row: np.ndarray, masks: Mapping[str, Sequence[str]]
) -> Members:
    """Members of the sets that annotations make: all variants annotated for a gene, genes by their first position.

    `row` tells where each annotated variant stands in `variants`; those of unknown ones are left out.
    """
    # of a repeated ID nobody knows which variant it is: it is counted, but has no place of its own
    code = np.where(row >= 0, row, len(variants) + pd.factorize(annotations["variant"])[0])
    known = np.flatnonzero(row != UNKNOWN)
    code, row, annotations = code[known], row[known], annotations.iloc[known]
    pos = np.where(row >= 0, variants["pos"].to_numpy(np.int64)[np.maximum(row, 0)], np.iinfo(np.int64).max)
    genes = pd.DataFrame({"gene": annotations["gene"].astype(object).to_numpy(), "pos": pos})
    genes = genes.groupby("gene", sort=False)["pos"].min().reset_index()
    genes = genes[genes["pos"] < np.iinfo(np.int64).max].sort_values("pos", kind="stable", ignore_index=True)
    of_category = pd.Index(genes["gene"]).get_indexer(annotations["gene"].cat.categories)
    gene = of_category[annotations["gene"].cat.codes.to_numpy()]
    placed = gene >= 0
    code, row, gene, annotations = code[placed], row[placed], gene[placed], annotations[placed]
    width = code.max(initial=0) + 1
    every = gene * width + code
    key, first = np.unique(every, return_index=True)
    return Members(
        genes=genes,
        gene=key // width,
        row=row[first],
        annotated=np.ones(len(key), bool),
        masks=_masks(key, every, annotations["category"], masks),
        unlisted=0,
    )


def _codes(count: int, *sides: tuple[np.ndarray, pd.Series]) -> list[np.ndarray]:
    """One number a variant, the same on all sides: its row in the genotypes, else a number of its name."""
    names = pd.concat([name[row < 0] for row, name in sides])
    numbers = count + pd.factorize(names)[0]
    codes, start = [], 0
    for row, _ in sides:
        unknown = row < 0
        code = row.astype(np.int64)
        code[unknown] = numbers[start : start + unknown.sum()]
        start += unknown.sum()
        codes.append(code)
    return codes


def _masks(
    key: np.ndarray, annotated: np.ndarray, category: pd.Series, masks: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """For every mask and key, whether an annotation with that key has a category of the mask. bool (masks, keys)."""
    found = np.zeros((len(masks), len(key)), bool)
    for number, categories in enumerate(masks.values()):
        chosen = category.cat.categories.isin(categories)[category.cat.codes.to_numpy()]
        found[number] = np.isin(key, annotated[chosen])
    return found
