"""Simulated cohorts with known ground truth, and random pairings of real photographs with real genotypes."""
