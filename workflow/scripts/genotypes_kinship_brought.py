from contigwas.genotypes.external import brought_kinship
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    brought_kinship(
        snakemake.input.kinship,
        snakemake.input.people,
        settings["max_kinship"],
        snakemake.output.kinship,
    )
