"""A regular grid of SNPs as a modality, raw."""

from contigwas.snps.grid import write_snps

__all__ = ["write_snps"]
