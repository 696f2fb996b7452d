"""Pretraining of the image encoder: one network per fold."""
