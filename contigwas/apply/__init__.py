"""A frozen model in a second cohort: embedding, alignment, and the replication of loci."""

from contigwas.apply.average import average
from contigwas.apply.frozen import embed_fold
from contigwas.apply.replicate import COLUMNS, write_replication

__all__ = ["COLUMNS", "average", "embed_fold", "write_replication"]
