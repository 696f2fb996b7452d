"""Loci: clumps of significant variants, their most associated feature, and their genes."""

from contigwas.loci.clump import Clump, clump
from contigwas.loci.table import COLUMNS, write_loci

__all__ = ["COLUMNS", "Clump", "clump", "write_loci"]
