"""Gene expression as a modality: samples x genes on a log scale, in genome order."""

from contigwas.expression.table import write_expression

__all__ = ["write_expression"]
