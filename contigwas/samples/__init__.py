"""Who is in the study: the samples that inputs name, their families, and their folds."""

from contigwas.samples.folds import assign_folds, heldout_share

__all__ = ["assign_folds", "heldout_share"]
