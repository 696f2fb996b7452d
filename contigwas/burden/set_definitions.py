"""Variant sets of genes, from a set list or from the annotations."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.burden.names import UNKNOWN, VariantNames
from contigwas.burden.regenie import read_sets
from contigwas.burden.rules import Rules
from contigwas.burden.variant_masks import Members, members_of_annotations, members_of_sets
from contigwas.genotypes.files import GenotypeFiles, describe_files
from contigwas.genotypes.interface import Genotypes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)


class ListedSets:
    """Sets from a set list, which has the variants and the chromosome of each gene."""

    def __init__(self, sets: PathLike, annotated: pd.DataFrame, rules: Rules, wanted: Sequence[str]) -> None:
        """Read the list `sets`. Raises UserError when it is malformed or has no gene on the chromosomes `wanted`."""
        self._path, self._sets, self._annotated, self._rules = sets, read_sets(sets), annotated, rules
        self._n_unlisted = self._n_found = self._n_listed = 0
        on_chromosomes = self._sets["chrom"].isin(wanted)
        log.info(
            "%d genes, %d of them on the chromosomes %s", len(on_chromosomes), on_chromosomes.sum(), ", ".join(wanted)
        )
        if not on_chromosomes.any():
            raise UserError(
                f"{sets} has no gene on the chromosomes of genotypes.chromosomes (it has "
                f"{', '.join(self._sets['chrom'].unique()[:25])}). Correct one of them."
            )

    def may_have_genes(self, chrom: str) -> bool:
        """Return whether genes can be on the chromosome."""
        return (self._sets["chrom"] == chrom).any()

    def members(self, names: VariantNames, genotypes: Genotypes) -> Members:
        """Return the members of the sets on the chromosome of `names`, whose genotypes are `genotypes`."""
        of_chrom = self._sets[self._sets["chrom"] == names.chrom]
        found = members_of_sets(of_chrom, self._annotated, names, self._rules.masks)
        self._n_unlisted += found.unlisted
        self._n_listed += len(found.row)
        self._n_found += int((found.row != UNKNOWN).sum())
        return found

    def check_found(self, annotations: PathLike, genotype_files: GenotypeFiles) -> None:
        """Log the variants in only one of the files. Raises UserError when no variant of the sets has exome calls."""
        log.info(
            "%d of the %d variants of sets are not in the exome calls", self._n_listed - self._n_found, self._n_listed
        )
        if not self._n_found:
            raise UserError(
                f"{self._path} lists {self._n_listed} variants, none of which is in the exome calls "
                f"({describe_files(genotype_files)}) by ID or by position and alleles. Check that its variant IDs are "
                "those of the exome calls."
            )
        without_set = int((~self._annotated["gene"].isin(self._sets["gene"])).sum())
        log.info("%s: %d annotations are of a variant that is not in the set of its gene, %d of a gene without a set",
                 annotations, self._n_unlisted, without_set)  # fmt: skip


class AnnotationSets:
    """Sets from the annotations: all variants annotated for a gene, on the first chromosome that has them."""

    def __init__(self, annotated: pd.DataFrame, rules: Rules) -> None:
        """`annotated` are the annotations of all chromosomes."""
        self._annotated, self._rules = annotated, rules
        self._not_found = np.ones(len(annotated), bool)  # annotations whose variant was not on any chromosome so far
        self._genes: set[str] = set()
        self._n_elsewhere = 0

    def may_have_genes(self, chrom: str) -> bool:
        """Return whether genes can be on the chromosome."""
        return True

    def members(self, names: VariantNames, genotypes: Genotypes) -> Members:
        """Return the members of the sets on the chromosome of `names`, whose genotypes are `genotypes`."""
        open_rows = np.flatnonzero(self._not_found)
        remaining = self._annotated.iloc[open_rows]
        row = names.rows(remaining["variant"], remaining.get("place"))
        self._not_found[open_rows[row != UNKNOWN]] = False
        elsewhere = (remaining["gene"].isin(self._genes) & (row != UNKNOWN)).to_numpy()
        self._n_elsewhere += int(elsewhere.sum())
        found = members_of_annotations(remaining[~elsewhere], genotypes.variants, row[~elsewhere], self._rules.masks)
        self._genes.update(found.genes["gene"])
        return found

    def check_found(self, annotations: PathLike, genotype_files: GenotypeFiles) -> None:
        """Log the annotations that are in no set. Raises UserError when no annotated variant has exome calls."""
        log.info("sets come from the annotations: %d genes", len(self._genes))
        log.info("%s: %d of %d annotations are of variants that are not in the exome calls",
                 annotations, self._not_found.sum(), len(self._not_found))  # fmt: skip
        if self._n_elsewhere:
            log.warning(
                "%d annotations are ignored, because their gene has a set on another chromosome", self._n_elsewhere
            )
        if self._not_found.all():
            raise UserError(
                f"{annotations} lists {len(self._not_found)} variants of genes, none of which is in the exome calls "
                f"({describe_files(genotype_files)}) by ID or by position and alleles. Check that both are on the "
                "same build."
            )
