from contigwas.genotypes.brought import brought_kinship
from contigwas.logs import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    brought_kinship(
        snakemake.input.kinship,
        snakemake.input.people,
        settings["max_kinship"],
        snakemake.output.kinship,
    )
