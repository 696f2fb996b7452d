"""Where the sets of genes come from: a list, or the annotations themselves."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from contigwas.burden.names import UNKNOWN, Names
from contigwas.burden.regenie import read_sets
from contigwas.burden.rules import Rules
from contigwas.burden.variant_masks import Members, of_annotations, of_sets
from contigwas.genotypes.interface import Genotypes
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)


class Listed:
    """Sets from a list: which variants a gene has, and on which chromosome it lies."""

    def __init__(self, sets: PathLike, annotated: pd.DataFrame, rules: Rules, wanted: Sequence[str]) -> None:
        """Raise UserError when the list `sets` is malformed or has no gene on the chromosomes `wanted`."""
        self._path, self._sets, self._annotated, self._rules = sets, read_sets(sets), annotated, rules
        self._unlisted = self._known = self._listed = 0
        here = self._sets["chrom"].isin(wanted)
        log.info("%d genes, %d of them on the chromosomes %s", len(here), here.sum(), ", ".join(wanted))
        if not here.any():
            raise UserError(
                f"{sets} has no gene on the chromosomes of genotypes.chromosomes (it has "
                f"{', '.join(self._sets['chrom'].unique()[:25])}): correct one of them"
            )

    def has(self, chrom: str) -> bool:
        """Whether a gene may lie on the chromosome."""
        return (self._sets["chrom"] == chrom).any()

    def members(self, names: Names, bed: Genotypes) -> Members:
        """The sets' variants among those of one chromosome, `bed`."""
        of_chrom = self._sets[self._sets["chrom"] == names.chrom]
        found = of_sets(of_chrom, self._annotated, names, self._rules.masks)
        self._unlisted += found.unlisted
        self._listed += len(found.row)
        self._known += int((found.row != UNKNOWN).sum())
        return found

    def tell(self, annotations: PathLike, genotypes: str) -> None:
        """Log the variants that only one file has; UserError when the exome calls have none of the sets'."""
        log.info("%d of the %d variants of sets are not in the exome calls", self._listed - self._known, self._listed)
        if not self._known:
            raise UserError(
                f"{self._path} names {self._listed} variants, none of which is in the exome calls ({genotypes}), by ID "
                "or by place and alleles: check that its variant ids are those of the exome calls"
            )
        lost = int((~self._annotated["gene"].isin(self._sets["gene"])).sum())
        log.info("%s: %d annotations are of a variant that its gene's set does not list, %d of a gene without a set",
                 annotations, self._unlisted, lost)  # fmt: skip


class Derived:
    """Sets from the annotations: all variants annotated for a gene, on the first chromosome that has them."""

    def __init__(self, annotated: pd.DataFrame, rules: Rules) -> None:
        """`annotated` are the annotations of all chromosomes."""
        self._annotated, self._rules = annotated, rules
        self._open = np.ones(len(annotated), bool)  # annotations of a variant that no chromosome has had so far
        self._genes: set[str] = set()
        self._elsewhere = 0

    def has(self, chrom: str) -> bool:
        """Whether a gene may lie on the chromosome."""
        return True

    def members(self, names: Names, bed: Genotypes) -> Members:
        """The sets' variants among those of one chromosome, `bed`."""
        places = np.flatnonzero(self._open)
        rest = self._annotated.iloc[places]
        row = names.rows(rest["variant"], rest.get("place"))
        self._open[places[row != UNKNOWN]] = False
        again = (rest["gene"].isin(self._genes) & (row != UNKNOWN)).to_numpy()
        self._elsewhere += int(again.sum())
        found = of_annotations(rest[~again], bed.variants, row[~again], self._rules.masks)
        self._genes.update(found.genes["gene"])
        return found

    def tell(self, annotations: PathLike, genotypes: str) -> None:
        """Log the annotations that no set took; UserError when the exome calls have none of the variants."""
        log.info("sets are those of the annotations: %d genes", len(self._genes))
        log.info("%s: %d of %d annotations are of variants that are not in the exome calls",
                 annotations, self._open.sum(), len(self._open))  # fmt: skip
        if self._elsewhere:
            log.warning("%d annotations are left out: their gene has a set on another chromosome", self._elsewhere)
        if self._open.all():
            raise UserError(
                f"{annotations} names {len(self._open)} variants of genes, none of which is in the exome calls "
                f"({genotypes}), by ID or by place and alleles: check that both are of one build"
            )
