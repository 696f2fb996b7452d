"""A cohort with the truth known: genotypes, traits of the eye, photographs; and real photographs paired at random."""

from contigwas.simulate.cohort import simulate_cohort
from contigwas.simulate.pairing import pair
from contigwas.simulate.photographs import simulate_images

__all__ = ["pair", "simulate_cohort", "simulate_images"]
