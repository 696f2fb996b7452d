from contigwas.phenotypes import write_phenotypes
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    write_phenotypes(
        snakemake.input.embeddings,
        next(iter(snakemake.input.reference), None),
        snakemake.input.cohort,
        snakemake.input.get("covariates"),
        snakemake.input.pcs,
        {**settings["phenotypes"], **settings["gwas"]},
        snakemake.output.phenotypes,
        snakemake.output.covariates,
        snakemake.output.pca,
        snakemake.input.get("images"),
        next(iter(snakemake.input.frozen), None),
    )
