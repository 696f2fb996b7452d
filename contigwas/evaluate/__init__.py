"""Models side by side: how many loci, how calibrated, and, where the ground truth is known, how right."""
