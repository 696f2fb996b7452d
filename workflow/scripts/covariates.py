from contigwas.covariates.table import write_covariates
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    write_covariates(
        snakemake.params.settings["covariates"]["columns"],
        snakemake.input.get("covariates"),
        snakemake.input.get("pcs"),
        snakemake.input.cohort,
        snakemake.output.covariates,
    )
