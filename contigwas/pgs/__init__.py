"""The modality of polygenic scores, computed from PGS Catalog scoring files."""

from contigwas.pgs.table import write_pgs

__all__ = ["write_pgs"]
