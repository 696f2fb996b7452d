"""Segmentation: masks of some people, networks fine-tuned on them, Dice and IoU of people they were not trained on."""
