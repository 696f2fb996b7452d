from contigwas.genotypes.kinship import kinship
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    kinship(
        settings["array"],
        settings["autosomes"],
        snakemake.input.pruned,
        snakemake.input.people,
        settings["max_kinship"],
        snakemake.output.kinship,
    )
