"""Phenotypes for the GWAS: components or raw features of the tested samples, and the covariates' design columns."""

from contigwas.phenotypes.embedding import write_phenotypes
from contigwas.phenotypes.external import write_external

__all__ = ["write_external", "write_phenotypes"]
