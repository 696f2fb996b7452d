"""Phenotypes for the GWAS: components or raw features of the tested people, and the covariates' design columns."""

from contigwas.phenotypes.brought import write_brought
from contigwas.phenotypes.embedded import write_phenotypes

__all__ = ["write_brought", "write_phenotypes"]
