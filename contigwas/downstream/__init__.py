"""Downstream tasks: classification, regression, segmentation and clustering with the features of a model."""
