"""The variants of the set of every gene, and the masks for which they are annotated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contigwas.burden.names import UNKNOWN, VariantNames


@dataclass(frozen=True)
class Members:
    """Distinct pairs of a gene and a variant of its set, sorted by gene.

    Attributes:
        genes: DataFrame `gene pos`, one row per gene.
        gene: int64 (pairs,), row of `genes`.
        row: int64 (pairs,), row of the variant in the genotypes, or names.UNKNOWN or names.DUPLICATE.
        annotated: bool (pairs,), the variant is annotated for this gene.
        masks: bool (masks, pairs), a category of the variant for this gene is in the mask.
        unlisted: number of annotations of a variant that is not in the set of its gene.
    """

    genes: pd.DataFrame
    gene: np.ndarray
    row: np.ndarray
    annotated: np.ndarray
    masks: np.ndarray
    unlisted: int


def members_of_sets(
    sets: pd.DataFrame, annotations: pd.DataFrame, names: VariantNames, masks: Mapping[str, Sequence[str]]
) -> Members:
    """Return the members of listed sets (`gene pos variants`) of one chromosome, with genes in the order of `sets`."""
    genes = pd.Index(sets["gene"])
    listed = sets["variants"].str.split(",").explode()
    number = np.repeat(np.arange(len(sets)), sets["variants"].str.count(",").to_numpy() + 1)
    not_empty = (listed != "").to_numpy()
    listed, number = listed[not_empty], number[not_empty]
    of_category = genes.get_indexer(annotations["gene"].cat.categories)
    gene = of_category[annotations["gene"].cat.codes.to_numpy()]
    in_sets = np.flatnonzero(gene >= 0)
    annotations, gene = annotations.iloc[in_sets], gene[in_sets]

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


def members_of_annotations(
    annotations: pd.DataFrame, variants: pd.DataFrame, row: np.ndarray, masks: Mapping[str, Sequence[str]]
) -> Members:
    """Return the members of sets that contain all variants annotated for a gene, with genes sorted by first position.

    `row` is the row of each annotated variant in `variants`. Annotations of unknown variants are skipped.
    """
    # the variant of a duplicated ID is not known: it is counted, but has no position
    code = np.where(row >= 0, row, len(variants) + pd.factorize(annotations["variant"])[0])
    found = np.flatnonzero(row != UNKNOWN)
    code, row, annotations = code[found], row[found], annotations.iloc[found]
    pos = np.where(row >= 0, variants["pos"].to_numpy(np.int64)[np.maximum(row, 0)], np.iinfo(np.int64).max)
    genes = pd.DataFrame({"gene": annotations["gene"].astype(object).to_numpy(), "pos": pos})
    genes = genes.groupby("gene", sort=False)["pos"].min().reset_index()
    genes = genes[genes["pos"] < np.iinfo(np.int64).max].sort_values("pos", kind="stable", ignore_index=True)
    of_category = pd.Index(genes["gene"]).get_indexer(annotations["gene"].cat.categories)
    gene = of_category[annotations["gene"].cat.codes.to_numpy()]
    has_gene = gene >= 0
    code, row, gene, annotations = code[has_gene], row[has_gene], gene[has_gene], annotations[has_gene]
    width = code.max(initial=0) + 1
    all_keys = gene * width + code
    key, first = np.unique(all_keys, return_index=True)
    return Members(
        genes=genes,
        gene=key // width,
        row=row[first],
        annotated=np.ones(len(key), bool),
        masks=_masks(key, all_keys, annotations["category"], masks),
        unlisted=0,
    )


def _codes(count: int, *sides: tuple[np.ndarray, pd.Series]) -> list[np.ndarray]:
    """Return a code per variant, the same on all `sides`: its row in the genotypes, else a code of its name."""
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
    """Return whether an annotation with each key has a category of each mask: bool (masks, keys)."""
    found = np.zeros((len(masks), len(key)), bool)
    for number, categories in enumerate(masks.values()):
        chosen = category.cat.categories.isin(categories)[category.cat.codes.to_numpy()]
        found[number] = np.isin(key, annotated[chosen])
    return found
