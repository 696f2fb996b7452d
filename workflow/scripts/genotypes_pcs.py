from contigwas.genotypes.files import files_by_chromosome
from contigwas.genotypes.pcs import principal_components
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    principal_components(
        files_by_chromosome(snakemake.input.genotypes, settings["autosomes"]),
        settings["autosomes"],
        snakemake.input.pruned,
        snakemake.input.samples,
        snakemake.input.kinship,
        settings["genotypes"]["pcs"],
        settings["seed"],
        snakemake.output.pcs,
    )
