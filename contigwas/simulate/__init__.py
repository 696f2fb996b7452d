"""A cohort with the truth known: genotypes, traits of the eye, photographs; and real photographs paired at random."""
