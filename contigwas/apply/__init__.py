"""Application of a frozen model to a second cohort: embedding, alignment, and replication of loci."""
