from contigwas.genotypes.external import brought_pcs
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    brought_pcs(
        snakemake.input.pcs,
        snakemake.input.people,
        settings["pcs"],
        snakemake.output.pcs,
    )
