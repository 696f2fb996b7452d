"""The SNP modality: unscaled hard calls of selected SNPs."""

from contigwas.snps.grid import write_snps

__all__ = ["write_snps"]
