"""The samples of the study: candidates, families, folds and exclusions."""

from contigwas.samples.folds import assign_folds, heldout_share

__all__ = ["assign_folds", "heldout_share"]
