"""Comparison of models: loci, calibration, variance explained and, with a ground truth, power and false loci."""
