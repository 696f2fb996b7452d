"""Clusters of samples in the space of a model's features, compared with labels if labels are given."""
