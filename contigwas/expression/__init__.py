"""Gene expression as a modality: samples x genes on a log scale, in the order of the genome, nothing fitted."""

from contigwas.expression.table import write_expression

__all__ = ["write_expression"]
