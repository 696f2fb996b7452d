"""A frozen model in a second cohort: embedding, alignment, and the replication of loci."""
