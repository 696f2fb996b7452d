"""Embeddings of several networks in one space: one row a person, from a network that did not train on them."""

from contigwas.align.align import align, brought
from contigwas.align.rotation import correlations, procrustes, standardise
from contigwas.align.transforms import Alignment, read_alignment, write_alignment

__all__ = [
    "Alignment",
    "align",
    "brought",
    "correlations",
    "procrustes",
    "read_alignment",
    "standardise",
    "write_alignment",
]
