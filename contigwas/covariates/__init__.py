"""Covariates as a modality of the contrast."""

from contigwas.covariates.table import write_covariates

__all__ = ["write_covariates"]
