"""Align the embeddings of several networks: one row per sample, from a network that did not train on it."""

from contigwas.align.align import align, external
from contigwas.align.rotation import correlations, procrustes, standardise
from contigwas.align.transforms import Alignment, read_alignment, write_alignment

__all__ = [
    "Alignment",
    "align",
    "correlations",
    "external",
    "procrustes",
    "read_alignment",
    "standardise",
    "write_alignment",
]
