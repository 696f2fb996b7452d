from contigwas.genotypes.brought import brought_pcs
from contigwas.logs import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    brought_pcs(
        snakemake.input.pcs,
        snakemake.input.people,
        settings["pcs"],
        snakemake.output.pcs,
    )
