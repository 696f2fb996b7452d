from contigwas.phenotypes import write_external
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    write_external(
        snakemake.input.table,
        snakemake.input.cohort,
        snakemake.input.get("covariates"),
        snakemake.input.pcs,
        {**settings["model"], **settings["gwas"]},
        snakemake.output.phenotypes,
        snakemake.output.covariates,
        snakemake.input.get("images"),
    )
