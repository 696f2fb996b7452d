"""Loci: clumps of significant variants, the feature each moves most, and the genes there."""

from contigwas.loci.clump import Clump, clump
from contigwas.loci.table import COLUMNS, write_loci

__all__ = ["COLUMNS", "Clump", "clump", "write_loci"]
