"""Phenotypes of the GWAS: components or features of the tested samples, and the covariates as design columns."""

from contigwas.phenotypes.embedding import write_phenotypes
from contigwas.phenotypes.external import write_external

__all__ = ["write_external", "write_phenotypes"]
