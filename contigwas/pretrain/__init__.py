"""Contrastive pretraining of the image encoder, one network a fold."""

from contigwas.pretrain.train import train

__all__ = ["train"]
