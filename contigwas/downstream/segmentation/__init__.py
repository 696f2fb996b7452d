"""Segmentation: networks fine-tuned on the masks of labelled samples, with Dice and IoU of held-out samples."""
