"""Polygenic scores of PGS Catalog scoring files as a modality, raw."""

from contigwas.pgs.table import write_pgs

__all__ = ["write_pgs"]
