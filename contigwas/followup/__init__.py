"""Sensitivity analyses of lead variants: HC3 standard errors, each sex alone, and with and without offsets."""

from contigwas.followup.table import COLUMNS, write_followup

__all__ = ["COLUMNS", "write_followup"]
