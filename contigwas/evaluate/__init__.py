"""Models side by side: how many loci, how calibrated, and, where the truth is known, how right."""
