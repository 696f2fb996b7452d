"""Covariates as a modality of the contrastive model."""

from contigwas.covariates.table import write_covariates

__all__ = ["write_covariates"]
