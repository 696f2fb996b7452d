"""sensitivity analyses of lead variants at lead variants: errors robust to heteroscedasticity, each sex alone, with and without offsets."""

from contigwas.followup.table import COLUMNS, write_followup

__all__ = ["COLUMNS", "write_followup"]
