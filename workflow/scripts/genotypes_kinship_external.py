from contigwas.genotypes.external import external_kinship
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    external_kinship(
        snakemake.input.kinship,
        snakemake.input.samples,
        settings["samples"]["max_kinship"],
        snakemake.output.kinship,
    )
