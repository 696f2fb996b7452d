"""Segmentation: masks of some samples, networks fine-tuned on them, Dice and IoU of samples they were not trained on."""
