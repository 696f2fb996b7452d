"""The modality of gene burdens: rare qualifying alleles of each sample, per gene and mask."""

from contigwas.burden.table import write_burden

__all__ = ["write_burden"]
