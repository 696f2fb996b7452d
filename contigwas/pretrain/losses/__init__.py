"""Losses of self-supervised learning: one per file, pure functions of embeddings."""

from contigwas.pretrain.losses.barlow_twins import barlow_twins_loss
from contigwas.pretrain.losses.byol import byol_loss
from contigwas.pretrain.losses.contig import contig_loss
from contigwas.pretrain.losses.kl import kl_loss
from contigwas.pretrain.losses.nnclr import nnclr_loss
from contigwas.pretrain.losses.ntxent import ntxent_loss
from contigwas.pretrain.losses.siglip import siglip_loss
from contigwas.pretrain.losses.simsiam import simsiam_loss

__all__ = [
    "barlow_twins_loss",
    "byol_loss",
    "contig_loss",
    "kl_loss",
    "nnclr_loss",
    "ntxent_loss",
    "siglip_loss",
    "simsiam_loss",
]
