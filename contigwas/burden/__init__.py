"""Carriers of rare qualifying alleles, gene by gene, as a modality."""

from contigwas.burden.table import write_burden

__all__ = ["write_burden"]
