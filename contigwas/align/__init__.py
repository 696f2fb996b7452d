"""Embeddings of several networks in one space: one row a person, from a network that did not train on them."""

from contigwas.align.align import align, brought
from contigwas.align.frozen import Alignment, read_alignment, write_alignment
from contigwas.align.rotation import correlations, procrustes, standardise

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
