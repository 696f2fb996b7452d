"""Contrastive losses: one a file, pure functions of embeddings."""

from contigwas.pretrain.losses.contig import contig_loss
from contigwas.pretrain.losses.ntxent import ntxent_loss

__all__ = ["contig_loss", "ntxent_loss"]
