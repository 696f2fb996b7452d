"""A cohort with the ground truth known: genotypes, traits of the eye, photographs; and real photographs paired at random."""
