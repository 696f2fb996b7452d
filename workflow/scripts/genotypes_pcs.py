from contigwas.genotypes.pcs import principal_components
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    principal_components(
        settings["array"],
        settings["autosomes"],
        snakemake.input.pruned,
        snakemake.input.people,
        snakemake.input.kinship,
        settings["pcs"],
        settings["seed"],
        snakemake.output.pcs,
    )
