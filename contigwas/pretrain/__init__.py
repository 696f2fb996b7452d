"""Contrastive pretraining of the image encoder, one network a fold."""
