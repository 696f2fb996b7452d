from contigwas.genotypes.files import files_by_chromosome
from contigwas.genotypes.kinship import kinship
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    kinship(
        files_by_chromosome(snakemake.input.genotypes, settings["autosomes"]),
        settings["autosomes"],
        snakemake.input.pruned,
        snakemake.input.samples,
        settings["samples"]["max_kinship"],
        snakemake.output.kinship,
    )
