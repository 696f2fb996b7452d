from contigwas.genotypes.external import external_pcs
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    external_pcs(
        snakemake.input.pcs,
        snakemake.input.samples,
        settings["genotypes"]["pcs"],
        snakemake.output.pcs,
    )
