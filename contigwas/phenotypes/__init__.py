"""Phenotypes for the GWAS: components or raw features of the tested people, and the covariates' design columns."""

from contigwas.phenotypes.embedding import write_phenotypes
from contigwas.phenotypes.external import write_brought

__all__ = ["write_brought", "write_phenotypes"]
