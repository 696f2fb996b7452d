"""Embeddings of several networks in one space: one row a person, from a network that did not train on them."""

from contigwas.align.align import align, brought
from contigwas.align.rotation import correlations, procrustes, standardise

__all__ = ["align", "brought", "correlations", "procrustes", "standardise"]
